/** The page of one finding: what was seen, in words and then in pictures, and what is done about it. */

import { ApiError, getBearer, getFinding, getParticipants, recordEvent } from "./api.js";
import { CasePanel } from "./case.js";
import { byId, detailOf, h, notify, pairs, write } from "./dom.js";
import { Figures } from "./figures.js";
import { clock, conditionRows, duration, round } from "./format.js";
import { icon } from "./icons.js";
import { Keys } from "./keys.js";
import { connect, startWithWords } from "./link.js";
import { Strip } from "./strip.js";
import { besideWords, claimed, phrase, scoreLines } from "./words.js";

/** @typedef {import("./types.js").WholeFinding} WholeFinding */
/** @typedef {import("./types.js").Change} Change */

const MINUTE_SECONDS = 60;
const LIVE_MS = 5_000;
/** @type {Object<string, string>} */
const ACTIONS = { opened: "Opened", updated: "Goes on", closed: "Closed" };
const id = new URLSearchParams(location.search).get("id") ?? "";
const { feed, start } = connect();
const figures = new Figures();
const strip = new Strip(MINUTE_SECONDS);
byId("figures").append(figures.element);
byId("strip").append(strip.element);

/** @param {WholeFinding} whole */
function show(whole) {
  const [first] = whole.changes;
  if (!first) return;
  const alerts = whole.changes.filter(({ verdict }) => verdict === "alert");
  const peak = alerts.reduce((top, change) => (evidence(change) > evidence(top) ? change : top), first);
  showWords(first, whole.changes.at(-1) ?? first, peak);
  pairs(byId("scores"), scoreLines(peak.scores));
  figures.show(peak);
  showMinute(peak);
  byId("steps").replaceChildren(...whole.changes.map(step));
  byId("tampered").hidden = !whole.tampered.length && !whole.events_tampered.length;
  write(byId("id"), whole.id);
  byId("loading").hidden = true;
  byId("finding").hidden = false;
}

/** @param {Change} change */
function evidence({ conditions }) {
  return conditions.statistic ?? 0;
}

/**
 * @param {Change} first
 * @param {Change} last
 * @param {Change} peak
 */
function showWords(first, last, peak) {
  const { title, detail } = phrase("alert", first.reason);
  const closed = last.action === "closed";
  const whom = first.identity ? `, who claims to be ${claimed(first.identity, first.claim)}` : "";
  const until = closed ? `, and closed after ${duration(first.time, last.time)}` : ", and is still open";
  document.title = `${title} - Sidewitness`;
  byId("status").className = `pill ${closed ? "inconclusive" : "alert"}`;
  byId("status").replaceChildren(icon(closed ? "inconclusive" : "alert"), closed ? "Closed" : "Open");
  write(byId("title"), title);
  write(byId("claim"), `${first.participant} in call ${first.call}${whom}. It opened at ${clock(first.time)}${until}.`);
  write(byId("detail"), `${detail} ${besideWords(Object.values(peak.evidence ?? {}))}`.trim());
  const { statistic, threshold } = peak.conditions;
  const known = typeof statistic === "number" && typeof threshold === "number";
  const sure = known ? `The evidence reached ${round(statistic)}, where the alert level is ${round(threshold)}. ` : "";
  write(byId("sure"), `${sure}It is a reason to check with the person another way, and no proof.`);
}

/** @param {Change} peak */
function showMinute({ conditions, time }) {
  const { points = [], threshold } = conditions;
  const rows = conditionRows(conditions);
  const newest = new Date(time).getTime() / 1000;
  for (const [at, statistic, verdict] of points) {
    if (typeof statistic === "number") strip.push({ at: newest + at, statistic, verdict }, threshold ?? 0);
  }
  byId("strip-figure").hidden = !points.length;
  byId("conditions").hidden = !rows.length;
  byId("no-minute").hidden = rows.length > 0;
  const cells = rows.map(([name, ...values]) =>
    h("tr", {}, h("th", { scope: "row" }, name), ...values.map((value) => h("td", {}, value))),
  );
  byId("conditions")
    .querySelector("tbody")
    ?.replaceChildren(...cells);
}

/** @param {Change} change */
function step({ time, action, verdict, reason }) {
  const waits = action === "updated" && verdict === "inconclusive";
  const why = reason ? `: ${phrase(verdict, reason).title.toLowerCase()}` : "";
  return h(
    "li",
    {},
    h("time", { datetime: time }, clock(time)),
    ` ${waits ? "Waits" : (ACTIONS[action] ?? action)}${why}`,
  );
}

/** Outlines are in what is live only: they are drawn while the participant is in the call, and not kept. */
async function showLive() {
  const whole = panel.whole;
  const [first] = whole?.changes ?? [];
  if (!first || !whole || whole.changes.at(-1)?.action === "closed") return;
  const people = await getParticipants(feed.token).catch(() => []);
  const now = people.find(({ call, participant }) => call === first.call && participant === first.participant);
  if (now) figures.show({ scores: { pairwise: now.scores.pairwise ?? { score: null, p_value: null, reason: null } } });
}

async function refresh() {
  try {
    const whole = await getFinding(feed.token, id);
    panel.show(whole);
    show(whole);
    notify("notice", "");
  } catch (error) {
    byId("loading").hidden = true;
    if (error instanceof ApiError && error.status === 404) byId("gone").hidden = false;
    else notify("notice", error instanceof Error ? error.message : String(error));
  }
}

const panel = new CasePanel(async (order) => {
  try {
    await recordEvent(feed.token, id, order);
    notify("notice", "");
  } catch (error) {
    notify("notice", error instanceof Error ? error.message : String(error));
    return false;
  }
  await refresh();
  return true;
});

const keys = new Keys([
  { keys: ["a"], says: "acknowledge", act: () => panel.press("acknowledge") },
  { keys: ["m"], says: "assign to me", act: () => panel.press("assign-me") },
  { keys: ["n"], says: "write a note", act: () => byId("note-text").focus() },
  { keys: ["t"], says: "label: a fraud", act: () => panel.press("label-true") },
  { keys: ["f"], says: "label: a false alert", act: () => panel.press("label-false") },
  { keys: ["u"], says: "label: unsure", act: () => panel.press("label-unsure") },
  { keys: ["l"], says: "back to the list", act: () => location.assign("findings") },
]);
byId("keys").addEventListener("click", () => keys.card.showModal());

feed.addEventListener("message", (event) => {
  const message = detailOf(event);
  if (message.type === "hello") {
    getBearer(feed.token).then(
      (bearer) => panel.use(bearer),
      () => undefined,
    );
    refresh().then(showLive);
  }
  if (message.type === "finding" && message.id === id) refresh();
  if (message.type === "case" && message.finding === id) refresh();
});
window.setInterval(() => {
  if (feed.link.phase === "live") showLive();
}, LIVE_MS);
startWithWords(start, "notice");
