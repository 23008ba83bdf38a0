/**
 * What both pages need of the connection: the feed, the token dialog and the status in the header, wired together. The
 * status always says in words whether what is on the page is live.
 */

import { alertsAddress, hasToken, keepToken, takeToken } from "./api.js";
import { byId, write } from "./dom.js";
import { Feed } from "./feed.js";
import { TokenDialog } from "./token.js";

/** @type {Object<string, string>} */
const PHASES = {
  idle: "Not connected",
  asking: "Token needed",
  connecting: "Connecting",
  subscribing: "Connecting",
  live: "Live",
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
    const { phase, delay } = /** @type {CustomEvent} */ (event).detail;
    status.dataset.phase = phase;
    document.body.dataset.phase = phase;
    write(status, phaseWords(phase, delay));
    button.hidden = phase !== "asking";
  });
  feed.addEventListener("ask", (event) => {
    keepToken(null);
    dialog.ask(/** @type {CustomEvent} */ (event).detail.rejected);
  });
  dialog.addEventListener("token", (event) => use(/** @type {CustomEvent} */ (event).detail));
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
