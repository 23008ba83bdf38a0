import assert from "node:assert/strict";
import { test } from "node:test";

import {
  aspectLines,
  besideWords,
  claimed,
  contrastWords,
  detectorWords,
  lagWords,
  phrase,
  scoreLines,
  scoreWords,
  useWords,
  verdictLabel,
} from "../../monitor/api/dashboard/words.js";

/**
 * @param {string} name
 * @param {string} label
 * @param {string | null} aspect
 */
function detector(name, label, aspect) {
  const about = { question: "", one_sided: true, needs_identity: name !== "lip_sync", fits: `fit by ${name}` };
  return { name, label, aspect, cause: "another_face", ...about };
}

useWords({
  verdicts: {
    alert: { label: "Alert", title: "Evidence of a forgery", detail: "Check." },
    bona_fide: { label: "Bona fide", title: "Fits", detail: "Not a proof." },
    inconclusive: { label: "Inconclusive", title: "Cannot tell", detail: "Not enough." },
  },
  reasons: {
    another_face: { title: "Not like them", brief: null, details: {} },
    silence: { title: "Silence", brief: null, details: { inconclusive: "Nobody speaks." } },
    not_enrolled: {
      title: "Lips and voice agree",
      brief: "nobody to compare with",
      details: { inconclusive: "Alone." },
    },
  },
  claims: { display_name: "by the name shown" },
  contrasts: { face_fits_voice_does_not: { title: "The face is theirs and the voice is not", detail: "Typical." } },
  detectors: [
    { ...detector("lip_sync", "lips", "lips"), question: "Do they fit?" },
    detector("looks", "face", "face"),
    detector("nose", "nose", null),
  ],
});

const score = (more = {}) => ({ score: null, p_value: null, reason: null, ...more });

test("by what somebody is taken to claim an identity is said beside it", () => {
  assert.equal(claimed("Ada", "display_name"), "Ada, by the name shown");
  assert.equal(claimed("Ada", "stated"), "Ada");
  assert.equal(claimed("Ada", "of_a_newer_server"), "Ada, Of a newer server");
});

test("a reason is said beside each verdict that has words for it", () => {
  assert.deepEqual(phrase("inconclusive", "silence"), { title: "Silence", detail: "Nobody speaks." });
  assert.deepEqual(phrase("alert", "silence"), { title: "Silence", detail: "Check." });
});

test("who is cleared is never said by a reason", () => {
  assert.equal(phrase("bona_fide", "silence").title, "Fits");
  assert.equal(phrase("inconclusive", null).title, "Cannot tell");
});

test("what nobody has words for is readable", () => {
  assert.deepEqual(phrase("alert", "ears_differ"), { title: "Ears differ", detail: "Check." });
  assert.equal(phrase("of_later", null).title, "Cannot tell");
  assert.equal(verdictLabel("of_later"), "Of later");
  assert.deepEqual(detectorWords("ear_shape"), { label: "Ear shape", question: "", needsIdentity: false });
});

test("a score is said by its reason, its rarity, its value or not at all", () => {
  assert.equal(scoreWords(score({ reason: "not_enrolled", p_value: 0.5 })), "nobody to compare with");
  assert.equal(scoreWords(score({ reason: "silence" })), "Silence");
  assert.equal(scoreWords(score({ reason: "ears_hidden" })), "Ears hidden");
  assert.equal(scoreWords(score({ score: 2, p_value: 0.004 })), "seen in 1 of 250 genuine windows");
  assert.equal(scoreWords(score({ score: 2 })), "score 2.00");
  assert.equal(scoreWords(score()), "no score");
});

test("every score is a line with its detector's label and question", () => {
  assert.deepEqual(scoreLines({ lip_sync: score({ p_value: 0.5 }), ears: score() }), [
    ["lips", "nothing unusual", "Do they fit?"],
    ["Ears", "no score", ""],
  ]);
  assert.deepEqual(scoreLines(undefined), []);
});

test("what is seen and heard of somebody who is claimed stands side by side", () => {
  const scores = { nose: score({ p_value: 0.5 }), looks: score({ p_value: 0.02 }), lip_sync: score({ p_value: 0.4 }) };
  assert.deepEqual(aspectLines(scores), [
    ["lips", "fit by lip_sync"],
    ["face", "not like them (1 in 50)"],
  ]);
  assert.deepEqual(aspectLines({ looks: score({ p_value: 0.08 }) }), [["face", "somewhat unusual (1 in 13)"]]);
  assert.deepEqual(aspectLines({ looks: score({ reason: "silence" }) }), [["face", "Silence"]]);
});

test("where nobody is claimed nothing stands there", () => {
  assert.deepEqual(aspectLines(undefined), []);
  const nobody = score({ reason: "not_enrolled" });
  assert.deepEqual(aspectLines({ lip_sync: score({ p_value: 0.4 }), looks: nobody }), []);
});

test("a contrast is said by whichever detector has it", () => {
  assert.equal(
    contrastWords([null, { distance: 1 }, { contrast: "face_fits_voice_does_not" }]),
    "The face is theirs and the voice is not.",
  );
  assert.equal(contrastWords([{ contrast: "of_later" }]), "");
});

test("a lag is said beside the others', after a contrast", () => {
  const lag = { at: 12.5, ms: 180, margin_ms: 12, others_ms: [10, 40], others: 3 };
  const said = "The voice lags its face by 180 ms, the others' by 10 to 40. A wireless headset does that, too.";
  assert.equal(lagWords([null, { lag }]), said);
  assert.match(lagWords([{ lag: { ...lag, others_ms: [20, 20] } }]), /the others' by 20\. /);
  assert.equal(lagWords([{ lag: { ms: 180 } }, { lag: "later" }]), "");
  const both = [{ lag }, { contrast: "face_fits_voice_does_not" }];
  assert.equal(besideWords(both), `The face is theirs and the voice is not. ${said}`);
});
