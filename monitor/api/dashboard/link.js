/**
 * What every page needs of the connection: the feed, the token dialog and the status in the header, wired together. The
 * status always says in words whether what is on the page is live.
 */

import { alertsAddress, getWords, hasToken, keepToken, takeToken } from "./api.js";
import { byId, detailOf, notify, write } from "./dom.js";
import { Feed } from "./feed.js";
import { TokenDialog } from "./token.js";
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
  const dialog = new TokenDialog();
  const status = byId("connection");
  const button = byId("enter-token");
  feed.addEventListener("phase", (event) => {
    const { phase, delay } = detailOf(event);
    status.dataset.phase = phase;
    document.body.dataset.phase = phase;
    write(status, phaseWords(phase, delay));
    button.hidden = phase !== "asking" && phase !== "barred";
  });
  feed.addEventListener("ask", (event) => {
    keepToken(null);
    dialog.ask(detailOf(event).rejected);
  });
  dialog.addEventListener("token", (event) => use(detailOf(event)));
  button.addEventListener("click", () => dialog.ask(false));
  // A skip link changes the fragment too; only one that carries a token means anything here.
  window.addEventListener("hashchange", () => hasToken() && use(takeToken()));

  /** @param {string | null} token */
  function use(token) {
    keepToken(token);
    feed.useToken(token);
  }
  return { feed, start: () => feed.useToken(takeToken()) };
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
