/** The page behind a link in an alert: what is asked, by whom it may be answered, and the card of a verification. */

import { ApiError, address, request } from "./api.js";
import { byId, detailOf, notify, pairs, write } from "./dom.js";
import { readable } from "./format.js";
import { connect } from "./link.js";

const SECOND_MS = 1_000;
const ASKED = /^#([0-9a-f-]{1,64})\/([0-9a-f-]{1,64})$/;
/** @type {Object<string, string>} */
const STATES = {
  proposed: "Nobody has answered yet.",
  confirmed: "It was confirmed and is being done.",
  refused: "It was refused: it is not done.",
  done: "It is done.",
  failed: "It could not be done.",
};
/** @type {Object<string, string>} */
const OUTCOMES = {
  passed: "The person was verified.",
  failed: "The person was not verified.",
  unreachable: "Nobody was reached: nothing is known.",
};

const { feed, start } = connect();
const place = ASKED.exec(location.hash);
/** @type {number} when the challenge was made, 0 where there is none */
let made = 0;

/** @param {string} path below the finding */
const below = (path) => address(`v1/findings/${place?.[1]}/${path}`);

/** @param {any} action as `GET /v1/findings/{finding}/actions/{action}` tells it */
function show(action) {
  const asks = action.action === "ask_to_verify";
  const who = `${action.participant ?? "?"} in ${action.call ?? "?"}`;
  write(byId("action-title"), asks ? `Verify ${who}` : `${readable(action.action)}: ${who}`);
  byId("drill").hidden = !action.drill;
  pairs(byId("facts"), [
    ["Claims to be", action.identity ?? "nobody enrolled"],
    ["Group", action.groups.join(", ") || "none"],
    ["Until", action.expires ? new Date(action.expires).toLocaleString() : "no end"],
    ["Finding", action.finding],
  ]);
  const late = action.expires && Date.parse(action.expires) <= Date.now();
  const waits = action.state === "proposed" && action.confirm;
  byId("answers").hidden = !waits || Boolean(late);
  const dry = action.dry_run && !action.drill ? " Dry run: nothing is done in the call." : "";
  const by = action.confirmed_by ? ` Confirmed by ${action.confirmed_by}.` : "";
  const why = action.why ? ` (${action.why})` : "";
  write(
    byId("state"),
    waits && late ? "It has expired: it can be done no more." : `${STATES[action.state]}${why}${by}${dry}`,
  );
  showCard(action.challenge);
}

/** @param {any} challenge null where there is none */
function showCard(challenge) {
  byId("card").hidden = !challenge;
  if (!challenge) return;
  write(
    byId("contact"),
    challenge.verify_by ?? "no number is enrolled: use one that you know yourself, never one from the call",
  );
  write(byId("words"), challenge.words.join(" "));
  byId("outcomes").hidden = challenge.outcome !== null;
  made = challenge.outcome === null ? Date.parse(challenge.made) : 0;
  if (challenge.outcome !== null) {
    write(
      byId("outcome"),
      `${OUTCOMES[challenge.outcome]} Said by ${challenge.answered_by}, after ${challenge.seconds} s.`,
    );
    write(byId("elapsed"), `${challenge.seconds} s`);
  }
}

/** @param {unknown} error */
function complain(error) {
  notify("problem", error instanceof Error ? error.message : String(error));
  if (error instanceof ApiError && error.status === 401) feed.useToken(null);
}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 */
async function ask(path, init) {
  notify("problem", "");
  try {
    show(await (await request(below(path), feed.token, init)).json());
  } catch (error) {
    complain(error);
    // Somebody else may have been sooner: what is shown must be what is.
    if (init && error instanceof ApiError && [409, 410].includes(error.status)) {
      show(await (await request(below(`actions/${place?.[2]}`), feed.token)).json());
    }
  }
}

function arrive() {
  if (!place) {
    complain("This link leads to no action: open it as it stood in the message.");
  } else ask(`actions/${place[2]}`);
}

for (const answer of ["confirm", "refuse"]) {
  byId(answer).addEventListener("click", () => ask(`actions/${place?.[2]}/${answer}`, { method: "POST" }));
}
for (const outcome of Object.keys(OUTCOMES)) {
  const init = {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ outcome }),
  };
  byId(outcome).addEventListener("click", () => ask(`challenges/${place?.[2]}`, init));
}
setInterval(() => made && write(byId("elapsed"), `${Math.round((Date.now() - made) / SECOND_MS)} s`), SECOND_MS);
feed.addEventListener("message", (event) => {
  if (detailOf(event).type === "hello") arrive();
});
feed.addEventListener("phase", (event) => {
  if (detailOf(event).phase === "barred") arrive();
});
start();
