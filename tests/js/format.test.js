import assert from "node:assert/strict";
import { test } from "node:test";

import {
  clock,
  day,
  duration,
  hex,
  measureWords,
  qualityWords,
  rarity,
  readable,
  round,
} from "../../monitor/api/dashboard/format.js";

test("numbers at a glance", () => {
  const values = [0.123, 9.87, 99.4, 123, 8912, 999_999, 1_234_567, 3e20, Infinity];
  const shown = ["0.12", "9.9", "99", "120", "8,900", "1,000,000", "10⁶", "10²⁰", "∞"];
  assert.deepEqual(values.map(round), shown);
});

test("a usual score clears nobody", () => {
  assert.equal(rarity(1), "nothing unusual");
  assert.equal(rarity(0.1), "nothing unusual");
  assert.equal(rarity(0.0999), "seen in 1 of 10 genuine windows");
});

test("a measure says how rare it is and what was measured", () => {
  assert.equal(measureWords(null), "not known");
  assert.equal(measureWords({ value: null, p_value: 0.5 }), "not known");
  assert.equal(measureWords({ value: -0.44, p_value: 0.7 }), "usual (−0.4 σ)");
  assert.equal(measureWords({ value: 3.1, p_value: 0.004 }), "1 in 250 (+3.1 σ)");
  assert.equal(measureWords({ value: 3.1, p_value: null }), "not calibrated (+3.1 σ)");
});

test("quality is always the same four values", () => {
  assert.deepEqual(qualityWords({ face_px: 182.4, fps: 9.96, speech_seconds: 4.25, clock_uncertainty: 0.0042 }), [
    ["Face", "182 px"],
    ["Frames", "10.0 /s"],
    ["Speech", "4.3 s"],
    ["Clock", "± 4 ms"],
  ]);
  assert.deepEqual(
    qualityWords(undefined).map(([, value]) => value),
    ["–", "–", "–", "–"],
  );
});

test("durations, times and days", () => {
  const from = "2026-03-01T12:00:00.000Z";
  const after = (/** @type {number} */ seconds) => new Date(from).getTime() + 1000 * seconds;
  const lengths = [-5, 59.4, 61, 3599, 7260].map((seconds) => duration(from, after(seconds)));
  assert.deepEqual(lengths, ["0 s", "59 s", "1 min 1 s", "59 min 59 s", "2 h 1 min"]);
  const noon = new Date(2026, 2, 1, 12, 0, 0);
  assert.equal(clock(noon.toISOString(), noon), "12:00:00");
  assert.equal(clock(noon.toISOString(), new Date(2026, 2, 2)), "1 Mar 12:00:00");
  assert.equal(clock("never"), "an unknown time");
  assert.equal(day("2026-03-04"), "4 Mar 2026");
  assert.equal(day("never"), "an unknown day");
});

test("words of the API and bytes", () => {
  assert.equal(readable("of_a_later_version"), "Of a later version");
  assert.equal(hex(new Uint8Array([0, 15, 255])), "000fff");
});
