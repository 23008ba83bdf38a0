/** The dashboard: what a subscriber gets, shown. REST gives the first picture, the socket everything after it. */

import { getFindings, getIdentities, getParticipants, whipAddress } from "./api.js";
import { Board } from "./cards.js";
import { byId, write } from "./dom.js";
import { FindingList } from "./findings.js";
import { connect } from "./link.js";
import { phrase, verdictWord } from "./words.js";

const REFRESH = 5_000;
const REGISTER = 30_000;
const { feed, start } = connect();
const board = new Board(byId("board"));
const findings = new FindingList(byId("findings"), byId("no-findings"));
/** Milliseconds from the page's clock to the sidecar's. */
let skew = 0;

const serverNow = () => Date.now() + skew;

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

/** Runs a request of the first picture; a refused token is the socket's matter, anything else a notice. */
async function attempt(/** @type {() => Promise<void>} */ work) {
  try {
    await work();
    byId("notice").hidden = true;
  } catch (error) {
    write(byId("notice"), error instanceof Error ? error.message : String(error));
    byId("notice").hidden = false;
  }
  summarise();
}

const refresh = () =>
  attempt(async () => {
    board.sync(await getParticipants(feed.token));
    await enrolled();
  });

/** Who is enrolled is asked only while somebody claims to be somebody. */
async function enrolled() {
  if (board.cards.some(({ identity }) => identity)) board.enrolled((await getIdentities(feed.token)).identities);
}

// The claimed identity comes with the list only.
board.addEventListener("joined", (event) => {
  if (/** @type {CustomEvent} */ (event).detail.identity === undefined) refresh();
});

board.addEventListener("verdict", (event) => {
  const { participant, call, verdict, reason } = /** @type {CustomEvent} */ (event).detail;
  announce(`${participant} in call ${call}: ${verdictWord(verdict)}. ${phrase(verdict, reason).title}.`);
});

feed.addEventListener("picture", (event) => {
  const { after } = /** @type {CustomEvent} */ (event).detail;
  findings.clear();
  attempt(async () => (await getFindings(feed.token, after)).forEach((finding) => findings.apply(finding, serverNow())));
});

feed.addEventListener("message", (event) => {
  const message = /** @type {CustomEvent} */ (event).detail;
  if (message.type === "hello") refresh();
  if (message.type === "gap") byId("gap").hidden = !message.after;
  if (message.type === "finding") findings.apply(message, serverNow());
  if (message.type === "state") {
    skew = new Date(message.time).getTime() - Date.now();
    board.update(message);
  }
  summarise();
});

window.setInterval(() => {
  findings.tick(serverNow());
}, 1_000);
window.setInterval(() => {
  if (feed.link.phase === "live" && board.hasStale()) refresh();
}, REFRESH);

window.setInterval(() => {
  if (feed.link.phase === "live") attempt(enrolled);
}, REGISTER);

write(byId("whip-address"), decodeURI(whipAddress("CALL", "PARTICIPANT")));
start();
