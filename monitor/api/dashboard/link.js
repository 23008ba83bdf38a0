/**
 * What every page needs of the connection: the feed, who it is that asks, and the status in the header, wired together. The
 * status always says in words whether what is on the page is live.
 */

import { alertsAddress, getWords } from "./api.js";
import { byId, detailOf, notify, write } from "./dom.js";
import { Entry } from "./entry.js";
import { Feed } from "./feed.js";
import { useWords } from "./words.js";

/** @type {Object<string, string>} */
const PHASES = {
  idle: "Not connected",
  asking: "Token needed",
  connecting: "Connecting",
  subscribing: "Connecting",
  live: "Live",
  barred: "This token shows no calls",
  refused: "Page out of date: reload it",
};

/**
 * @param {string} phase
 * @param {number} delay milliseconds until the next try
 */
function phaseWords(phase, delay) {
  if (phase === "waiting") return `Connection lost, trying again in ${Math.max(1, Math.round(delay / 1000))} s`;
  return PHASES[phase] ?? phase;
}

/**
 * Wires the page's connection; call `start` when the page listens.
 * @returns {{ feed: Feed, start: () => void }}
 */
export function connect() {
  const feed = new Feed(alertsAddress());
  const status = byId("connection");
  const button = byId("enter-token");
  const entry = new Entry(button.parentElement ?? document.body);
  feed.addEventListener("phase", (event) => {
    const { phase, delay } = detailOf(event);
    status.dataset.phase = phase;
    document.body.dataset.phase = phase;
    write(status, phaseWords(phase, delay));
    button.hidden = phase !== "asking" && phase !== "barred";
    if (phase === "live" || phase === "barred") entry.nameTenant(feed.token);
  });
  feed.addEventListener("ask", (event) => entry.ask(detailOf(event).rejected));
  entry.addEventListener("token", (event) => feed.useToken(detailOf(event)));
  button.addEventListener("click", () => entry.ask(false));
  return { feed, start: () => entry.begin() };
}

/**
 * Loads the words and then starts the page. Without words it is not started: half of what it must say would be missing.
 * @param {() => void} start
 * @param {string} notice id of the element that says why nothing is shown
 * @returns {Promise<void>}
 */
export async function startWithWords(start, notice) {
  try {
    useWords(await getWords());
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    notify(notice, `The words of this page could not be loaded (${cause}). Reload the page.`);
    return;
  }
  start();
}
