import assert from "node:assert/strict";
import { test } from "node:test";

import { advance, backoff, initial } from "../../monitor/api/dashboard/socket.js";

/** @typedef {import("../../monitor/api/dashboard/socket.js").LinkEvent} LinkEvent */

/** @param {LinkEvent[]} events */
function run(events) {
  let link = initial();
  const effects = events.map((event) => {
    const [next, wanted] = advance(link, event);
    link = next;
    return wanted;
  });
  return { link, effects };
}

const message = (/** @type {unknown} */ body) => ({
  type: /** @type {const} */ ("message"),
  text: JSON.stringify(body),
});
/** @type {LinkEvent[]} */
const LIVE = [{ type: "token", token: "t" }, { type: "opened" }, message({ type: "hello", seq: 5 })];

test("a first hello asks for the first picture, a second one resumes", () => {
  assert.deepEqual(
    run(LIVE).effects[2]?.map((effect) => effect.do),
    ["deliver", "picture"],
  );
  const again = run([...LIVE, message({ type: "finding", seq: 9 }), message({ type: "hello", seq: 9 })]);
  assert.deepEqual(
    again.effects[4]?.map((effect) => effect.do),
    ["deliver"],
  );
  assert.equal(again.link.cursor, 9);
});

test("a head behind the cursor is another journal", () => {
  const other = run([...LIVE, message({ type: "hello", seq: 2 })]);
  assert.deepEqual([other.link.cursor, other.effects[3]?.at(-1)], [2, { do: "picture", after: 0 }]);
});

test("who is too slow resumes at once, and only once", () => {
  const slow = { type: /** @type {const} */ ("closed"), code: 4008, chance: 1 };
  const { effects } = run([...LIVE, slow, { type: "due" }, slow]);
  assert.deepEqual(
    [effects[3], effects[5]],
    [[{ do: "wait", milliseconds: 100 }], [{ do: "wait", milliseconds: 1000 }]],
  );
});

test("waiting grows to a limit and is spread", () => {
  assert.deepEqual(
    [0, 1, 20].map((attempts) => backoff(attempts, 1)),
    [500, 1000, 15_000],
  );
  assert.equal(backoff(0, 0), 250);
});

test("a refused token asks, a role without calls or a refused message ends, and none tries again", () => {
  for (const [code, phase] of /** @type {const} */ ([
    [4401, "asking"],
    [4400, "refused"],
    [4403, "barred"],
  ])) {
    const { link, effects } = run([...LIVE, { type: "closed", code, chance: 0 }, { type: "due" }]);
    assert.deepEqual([link.phase, effects[4]], [phase, []]);
  }
});

test("what cannot be read is passed over", () => {
  const { effects } = run([
    ...LIVE,
    { type: "message", text: "{" },
    message(null),
    message({ type: "of a later version" }),
  ]);
  assert.deepEqual(effects.slice(3), [[], [], []]);
});
