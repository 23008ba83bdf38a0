/** The wall of an operations room: what is open, large; nothing to press, and it says when it is not live. */

import { findFindings, getParticipants } from "./api.js";
import { caseWords } from "./case_words.js";
import { byId, detailOf, h, notify, write } from "./dom.js";
import { clock, duration } from "./format.js";
import { connect, startWithWords } from "./link.js";
import { phrase } from "./words.js";

/** @typedef {import("./types.js").FoundFinding} FoundFinding */

const MAX_TILES = 12;
const SCANNED = 200;
const REFRESH_MS = 10_000;
const TICK_MS = 1_000;
const { feed, start } = connect();
/** @type {FoundFinding[]} */
let shown = [];

/** @param {FoundFinding} found */
function isOpen({ action, case: now }) {
  return action !== "closed" ? now.state !== "closed" : now.state === "open";
}

async function refresh() {
  if (feed.link.phase !== "live") return;
  try {
    const { findings } = await findFindings(feed.token, new URLSearchParams(), SCANNED);
    const people = await getParticipants(feed.token);
    shown = findings.filter(isOpen);
    notify("notice", "");
    count("count-open", shown.length);
    count("count-new", shown.filter(({ case: now }) => now.state === "open").length);
    count("count-calls", new Set(people.map(({ call }) => call)).size);
    count("count-watched", people.filter(({ coverage }) => coverage?.watched ?? true).length);
    draw();
  } catch (error) {
    notify("notice", error instanceof Error ? error.message : String(error));
  }
}

/**
 * @param {string} id
 * @param {number} value
 */
function count(id, value) {
  write(byId(id), String(value));
  byId(id).parentElement?.toggleAttribute("data-some", value > 0);
}

function draw() {
  byId("quiet").hidden = shown.length > 0;
  const more = shown.length > MAX_TILES ? `, ${shown.length - MAX_TILES} more in the list` : "";
  write(byId("quiet"), "Nothing is open.");
  document.title = shown.length ? `(${shown.length}) Wall - Sidewitness` : "Wall - Sidewitness";
  byId("tiles").replaceChildren(...shown.slice(0, MAX_TILES).map(tile));
  write(byId("announcer"), `${shown.length} findings are open${more}.`);
}

/** @param {FoundFinding} found */
function tile(found) {
  const since = duration(found.opened, Date.now());
  const link = h(
    "a",
    { class: "tile", href: `finding?id=${encodeURIComponent(found.id)}`, "data-state": found.case.state },
    h("b", {}, phrase("alert", found.found).title),
    h("span", {}, `${found.participant} in ${found.call}`),
    h("span", {}, found.identity ? `claims to be ${found.identity}` : "claims no identity"),
    h("span", {}, `since ${clock(found.opened)}, ${since}`),
    h("span", {}, caseWords(found.case)),
  );
  return h("li", {}, link);
}

feed.addEventListener("message", (event) => {
  if (["hello", "finding", "case"].includes(detailOf(event).type)) refresh();
});
window.setInterval(refresh, REFRESH_MS);
window.setInterval(() => write(byId("clock"), new Date().toLocaleTimeString("en-GB")), TICK_MS);
startWithWords(start, "notice");
