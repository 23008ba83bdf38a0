import assert from "node:assert/strict";
import { test } from "node:test";

import { flatten, rows } from "../../monitor/api/dashboard/evidence_table.js";
import { isOutline } from "../../monitor/api/dashboard/outline.js";
import { moments } from "../../monitor/api/dashboard/persona.js";
import { SPAN_SECONDS, decades, extend, runs } from "../../monitor/api/dashboard/strip.js";
import { best, isCurve, judgedBy, points } from "../../monitor/api/dashboard/synchrony.js";

const at = (/** @type {number} */ seconds, statistic = 1) => ({ at: seconds, statistic, verdict: "inconclusive" });

test("a strip holds the last two minutes and starts over when the clock is set back", () => {
  const strip = [0, 60, 130].reduce((all, seconds) => extend(all, at(seconds)), [at(-1)]);
  assert.deepEqual(
    strip.map((point) => point.at),
    [60, 130],
  );
  assert.equal(extend(strip, at(130)), strip);
  assert.equal(extend(strip, at(126)), strip);
  assert.deepEqual(extend(strip, at(125)), [at(125)]);
  assert.equal(extend(strip, at(130 + SPAN_SECONDS)).length, 2);
});

test("a strip is broken where nothing came for longer than five seconds", () => {
  assert.deepEqual(
    runs([0, 5, 10.1, 11].map((seconds) => at(seconds))).map((run) => run.length),
    [2, 2],
  );
  assert.deepEqual(runs([]), []);
});

test("the axis holds the alert level with room above it, and every point", () => {
  assert.deepEqual(decades([], 1000), [-1, 5]);
  assert.deepEqual(decades([at(0, 1e9)], 1000), [-1, 9]);
  assert.ok(Number.isFinite(decades([at(0, Infinity)], 1000)[1]));
});

test("a curve is drawn where there is one, without the offsets that had too little speech", () => {
  const curve = { offsets_ms: [-40, 0, 40], agreement: [null, 0.2, 0.5] };
  assert.ok(isCurve(curve));
  assert.deepEqual(points(curve), [
    [0, 0.2],
    [40, 0.5],
  ]);
  assert.deepEqual(best(curve), [40, 0.5]);
  const broken = [null, {}, { offsets_ms: [0], agreement: [1] }, { offsets_ms: [0, 1], agreement: [null, null] }];
  assert.deepEqual(broken.map(isCurve), [false, false, false, false]);
  assert.ok(!isCurve({ offsets_ms: [0, 1], agreement: [1] }));
});

test("by whose agreement lips and voice were judged is told in words", () => {
  const curve = { offsets_ms: [0, 40], agreement: [0.2, 0.5] };
  assert.equal(judgedBy(curve), "");
  assert.match(judgedBy({ ...curve, judged_by: "people" }), /people in general/);
  const own = { windows: 14, rung: "poor line" };
  assert.match(judgedBy({ ...curve, judged_by: "own", own }), /own agreement, from 14 windows .*poor line/);
});

test("only moments of which something is known are drawn, oldest first", () => {
  const timeline = [{ at: 2, value: 1 }, { at: 1, value: 0.5 }, { at: 3, value: null }, null];
  assert.deepEqual(moments(timeline), [
    { at: 1, value: 0.5 },
    { at: 2, value: 1 },
  ]);
  assert.deepEqual(moments("none"), []);
});

test("an outline has all its points", () => {
  const whole = Array.from({ length: 139 }, () => [0.5, 0.5]);
  assert.ok(isOutline(whole));
  assert.ok(!isOutline(whole.slice(1)));
  assert.ok(!isOutline([...whole.slice(1), [0.5, null]]));
});

test("evidence of any shape becomes rows", () => {
  assert.deepEqual(flatten({ a_b: 1.23456, c: { d: null, e: [1, "x"] } }), [
    ["A b", "1.235"],
    ["C: d", "–"],
    ["C: e", "1, x"],
  ]);
  assert.deepEqual(flatten({ a: { b: { c: { d: 1 } } } }), [["A: b: c", "1 entry"]]);
  assert.deepEqual(
    flatten({
      list: [
        [0, 1],
        [1, 2],
      ],
      long: "x".repeat(300),
    }),
    [
      ["List", "2 entries"],
      ["Long", `${"x".repeat(200)}…`],
    ],
  );
  assert.deepEqual(flatten(null), []);
  const many = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`n${index}`, index]));
  const shown = rows({ score: 1, p_value: null, reason: null }, many);
  assert.equal(shown.length, 1 + 24 + 1);
  assert.deepEqual(shown.at(-1), ["Not shown", "6 more"]);
});
