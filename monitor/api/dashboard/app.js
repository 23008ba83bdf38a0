/** The dashboard: what a subscriber gets, shown. REST gives the first picture, the socket everything after it. */

import { getFindings, getIdentities, getParticipants, whipAddress } from "./api.js";
import { Board } from "./cards.js";
import { byId, detailOf, notify, write } from "./dom.js";
import { FindingList } from "./findings.js";
import { connect, startWithWords } from "./link.js";
import { phrase, verdictLabel } from "./words.js";

const REFRESH_MS = 5_000;
const ENROLLED_REFRESH_MS = 30_000;
const TICK_MS = 1_000;
const { feed, start } = connect();
const board = new Board(byId("board"));
const findings = new FindingList(byId("findings"), byId("no-findings"));
/** From the page's clock to the sidecar's. */
let skewMs = 0;

const serverNow = () => Date.now() + skewMs;

/** @param {string} text */
function announce(text) {
  write(byId("announcer"), text);
}

function summarise() {
  const counts = { alert: 0, suspect: 0, bona_fide: 0, inconclusive: 0 };
  for (const { verdict, leftAt } of board.cards) {
    if (!leftAt && verdict in counts) counts[/** @type {keyof counts} */ (verdict)] += 1;
  }
  for (const [verdict, count] of Object.entries(counts)) write(byId(`count-${verdict}`), String(count));
  write(byId("count-findings"), findings.open ? `${findings.open} open` : "");
  byId("jump").hidden = !findings.open;
  byId("no-calls").hidden = board.cards.length > 0;
  document.title = findings.open ? `(${findings.open}) Sidewitness` : "Sidewitness";
}

/**
 * Runs a request; a failure becomes a notice, which the next success takes away.
 * @param {() => Promise<void>} work
 */
async function attempt(work) {
  try {
    await work();
    notify("notice", "");
  } catch (error) {
    notify("notice", error instanceof Error ? error.message : String(error));
  }
  summarise();
}

const refresh = () =>
  attempt(async () => {
    board.sync(await getParticipants(feed.token));
    await refreshEnrolled();
  });

/** Who is enrolled is asked only while somebody claims to be somebody. */
async function refreshEnrolled() {
  if (!board.cards.some(({ identity }) => identity)) return;
  board.showEnrolled((await getIdentities(feed.token)).identities);
}

// The claimed identity comes with the list only.
board.addEventListener("joined", (event) => {
  if (detailOf(event).identity === undefined) refresh();
});

board.addEventListener("verdict", (event) => {
  const { participant, call, verdict, reason } = detailOf(event);
  announce(`${participant} in call ${call}: ${verdictLabel(verdict)}. ${phrase(verdict, reason).title}.`);
});

feed.addEventListener("picture", (event) => {
  const { after } = detailOf(event);
  findings.clear();
  attempt(async () => {
    for (const finding of await getFindings(feed.token, after)) findings.apply(finding, serverNow());
  });
});

feed.addEventListener("message", (event) => {
  const message = detailOf(event);
  if (message.type === "hello") refresh();
  if (message.type === "gap") byId("gap").hidden = !message.after;
  if (message.type === "tampered") byId("tampered").hidden = false;
  if (message.type === "unmonitored") {
    const { participant, call, action, reason } = message;
    const title = phrase("inconclusive", reason).title;
    announce(`${participant} in call ${call}: ${action === "began" ? `not watched. ${title}.` : "watched again."}`);
    refresh();
  }
  if (message.type === "finding") findings.apply(message, serverNow());
  if (message.type === "state") {
    skewMs = new Date(message.time).getTime() - Date.now();
    board.update(message);
  }
  summarise();
});

window.setInterval(() => {
  findings.tick(serverNow());
}, TICK_MS);
window.setInterval(() => {
  if (feed.link.phase === "live" && board.hasStale()) refresh();
}, REFRESH_MS);

window.setInterval(() => {
  if (feed.link.phase === "live") attempt(refreshEnrolled);
}, ENROLLED_REFRESH_MS);

write(byId("whip-address"), decodeURI(whipAddress("CALL", "PARTICIPANT")));
startWithWords(start, "notice");
