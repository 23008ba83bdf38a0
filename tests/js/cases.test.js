import assert from "node:assert/strict";
import { test } from "node:test";

import { caseWords, eventWords } from "../../monitor/api/dashboard/case_words.js";
import { conditionRows } from "../../monitor/api/dashboard/format.js";
import { meant } from "../../monitor/api/dashboard/keys.js";

/** @typedef {import("../../monitor/api/dashboard/types.js").Case} Case */

/**
 * @param {Partial<Case>} [changed]
 * @returns {Case}
 */
const stands = (changed) => ({
  state: "open",
  assignee: null,
  label: null,
  labelled_by: null,
  actions: [],
  challenges: [],
  ...changed,
});
/**
 * @param {string} event
 * @param {Object<string, unknown>} [details]
 */
const words = (event, details = {}) => eventWords({ seq: 1, event, time: "", actor: "jo", details }, { a: "mute" });

test("where a case stands", () => {
  assert.equal(caseWords(stands()), "not acknowledged");
  assert.equal(caseWords(stands({ state: "acknowledged", assignee: "sam" })), "acknowledged, sam");
  assert.equal(caseWords(stands({ state: "closed", label: "false" })), "a false alert");
});

test("what was done, those of later versions too", () => {
  assert.equal(words("assigned", { to: "sam" }), "assigned it to sam");
  assert.equal(words("assigned", { to: null }), "assigned it to nobody");
  assert.equal(words("labelled", { label: "true" }), "labelled it a fraud");
  assert.equal(words("told", { whom: "the desk", sink: "pager" }), "told the desk by pager");
  assert.equal(words("action_proposed", { id: "b", action: "remove" }), "proposed remove");
  assert.equal(words("action_confirmed", { id: "a" }), "confirmed mute");
  assert.equal(words("action_failed", { id: "z" }), "failed action z");
  assert.equal(words("challenge_answered", { outcome: "failed" }), "checked on another channel: failed");
  assert.equal(words("looked_at", { id: "z" }), "looked at action z");
});

test("a key that is typed into a field is text", () => {
  const keys = [{ keys: ["a"], says: "", act: () => undefined }];
  const press = { key: "a", ctrlKey: false, metaKey: false, altKey: false };
  assert.equal(meant(press, "BODY", false, keys), keys[0]);
  assert.equal(meant(press, "TEXTAREA", false, keys), null);
  assert.equal(meant(press, "BODY", true, keys), null);
  assert.equal(meant({ ...press, ctrlKey: true }, "BODY", false, keys), null);
  assert.equal(meant({ ...press, key: "b" }, "BODY", false, keys), null);
});

test("conditions are those that were kept, with their range", () => {
  assert.deepEqual(conditionRows({}), []);
  const quality = { fps: 29.8, clock_uncertainty: 0.004 };
  assert.deepEqual(conditionRows({ quality, ranges: { clock_uncertainty: [0.002, 0.004] } }), [
    ["Pictures a second", "29.8", "29.8"],
    ["Uncertainty of the clock", "4 ms", "2 to 4 ms"],
  ]);
});
