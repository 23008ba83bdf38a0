/** Findings, searched: the filters are in the address, so that a search can be kept and sent to somebody. */

import { findFindings } from "./api.js";
import { byId, h, notify, write } from "./dom.js";
import { caseWords } from "./case_words.js";
import { clock } from "./format.js";
import { Keys } from "./keys.js";
import { connect, startWithWords } from "./link.js";
import { detectors, phrase } from "./words.js";

/** @typedef {import("./types.js").FoundFinding} FoundFinding */

const FIELDS = ["text", "detector", "state", "label", "since", "until"];
const TYPING_MS = 250;
const PAGE = 50;
const DAY_MS = 86_400_000;
const { feed, start } = connect();
const form = /** @type {HTMLFormElement} */ (byId("filters"));
const results = byId("results");
let timer = 0;
/** @type {number | null} */
let next = null;
/** Answers to questions that are no longer asked are dropped. */
let asked = 0;

/** @returns {URLSearchParams} the filters that are set */
function filters() {
  const chosen = new URLSearchParams();
  for (const name of FIELDS) {
    const value = String(new FormData(form).get(name) ?? "").trim();
    if (value) chosen.set(name, value);
  }
  return chosen;
}

/**
 * What is asked of the API for what stands in the form: days are those of whoever looks, the last one whole.
 * @param {URLSearchParams} chosen
 */
function query(chosen) {
  const sent = new URLSearchParams(chosen);
  const [since, until] = [chosen.get("since"), chosen.get("until")];
  if (since) sent.set("since", new Date(`${since}T00:00:00`).toISOString());
  if (until) sent.set("until", new Date(new Date(`${until}T00:00:00`).getTime() + DAY_MS - 1).toISOString());
  return sent;
}

/** @param {FoundFinding} found */
function row(found) {
  const { title } = phrase("alert", found.found);
  const who = `${found.participant} in ${found.call}${found.identity ? `, claims to be ${found.identity}` : ""}`;
  const link = h(
    "a",
    { class: "result", href: `finding?id=${encodeURIComponent(found.id)}`, "data-state": found.case.state },
    h("span", { class: "title" }, title),
    h("span", { class: "where" }, clock(found.opened)),
    h("span", {}, who),
    h("span", { class: "where" }, caseWords(found.case)),
  );
  return h("li", {}, link);
}

/** @param {boolean} more whether what is shown stays */
async function search(more = false) {
  const question = ++asked;
  const chosen = filters();
  if (!more) history.replaceState(null, "", `${location.pathname}${chosen.size ? `?${chosen}` : ""}`);
  const sent = query(chosen);
  if (more && next !== null) sent.set("before", String(next));
  try {
    const page = await findFindings(feed.token, sent, PAGE);
    if (question !== asked) return;
    notify("notice", "");
    next = page.next;
    const rows = page.findings.map(row);
    if (more) results.append(...rows);
    else results.replaceChildren(...rows);
    byId("tampered").hidden = !page.tampered?.length;
    say(chosen.size > 0);
  } catch (error) {
    if (question === asked) notify("notice", error instanceof Error ? error.message : String(error));
  }
  byId("loading").hidden = true;
}

/** @param {boolean} filtered */
function say(filtered) {
  const count = results.children.length;
  byId("nothing").hidden = count > 0;
  byId("more").hidden = next === null;
  write(byId("nothing-title"), filtered ? "Nothing fits these filters" : "No findings");
  const why = filtered
    ? "Clear a filter, or look further back."
    : "A finding opens when the evidence against a participant passes the alert level.";
  write(byId("nothing-detail"), why);
  write(byId("announcer"), `${count}${next === null ? "" : " or more"} findings`);
}

/** @param {number} by how many rows the focus moves */
function move(by) {
  const links = [...results.querySelectorAll("a")];
  const at = links.indexOf(/** @type {HTMLAnchorElement} */ (document.activeElement));
  links[Math.min(links.length - 1, Math.max(0, at + by))]?.focus();
}

function restore() {
  const given = new URLSearchParams(location.search);
  for (const { name } of detectors()) byId("detector").append(h("option", {}, name));
  for (const name of FIELDS) {
    const field = form.elements.namedItem(name);
    if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement) field.value = given.get(name) ?? "";
  }
}

form.addEventListener("input", () => {
  window.clearTimeout(timer);
  timer = window.setTimeout(() => search(), TYPING_MS);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});
form.addEventListener("reset", () => window.setTimeout(() => search()));
byId("more").addEventListener("click", () => search(true));

const keys = new Keys([
  { keys: ["/"], says: "go to the search", act: () => byId("text").focus() },
  { keys: ["j", "ArrowDown"], says: "next finding", act: () => move(1) },
  { keys: ["k", "ArrowUp"], says: "finding before", act: () => move(-1) },
  { keys: ["w"], says: "wall view", act: () => location.assign("wall") },
]);
byId("keys").addEventListener("click", () => keys.card.showModal());

// A search stays as it was found while somebody reads further down; new findings come to who looks at the top.
feed.addEventListener("message", (event) => {
  const { type } = /** @type {CustomEvent} */ (event).detail;
  if (type === "hello" || ((type === "finding" || type === "case") && results.children.length <= PAGE)) search();
});
startWithWords(() => {
  restore();
  start();
}, "notice");
