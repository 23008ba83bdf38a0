/** What stands in a case, in words. */

import { readable } from "./format.js";

/** @typedef {import("./types.js").Case} Case */
/** @typedef {import("./types.js").CaseEvent} CaseEvent */

/** @type {Object<string, string>} */
export const LABELS = { true: "a fraud", false: "a false alert", unsure: "unsure" };

/**
 * Where a case stands, in a few words.
 * @param {Case} found
 */
export function caseWords({ state, label, assignee }) {
  const what = label ? (LABELS[label] ?? label) : state === "open" ? "not acknowledged" : state;
  return assignee ? `${what}, ${assignee}` : what;
}

/**
 * What somebody, or the policy, did.
 * @param {CaseEvent} event
 * @param {Object<string, string>} [actions] what actions are called, by their id
 * @returns {string}
 */
export function eventWords({ event, details }, actions = {}) {
  const { to, label, whom, sink, action, id, outcome } = details;
  switch (event) {
    case "acknowledged":
      return "acknowledged it";
    case "assigned":
      return to ? `assigned it to ${to}` : "assigned it to nobody";
    case "noted":
      return "noted";
    case "labelled":
      return `labelled it ${LABELS[String(label)] ?? label}`;
    case "told":
      return `told ${whom} by ${sink}`;
    case "challenge_made":
      return "asked for a check on another channel";
    case "challenge_answered":
      return `checked on another channel: ${outcome}`;
    default: {
      const word = event.startsWith("action_") ? event.slice("action_".length) : readable(event).toLowerCase();
      return `${word} ${action ?? actions[String(id)] ?? `action ${id}`}`;
    }
  }
}
