/**
 * Every verdict and reason in plain words, in one place. The wording is one-sided wherever the evidence is: agreement is
 * never presented as a proof, and an abstention says what would end it.
 */

/** @typedef {{ title: string, detail: string }} Phrase */

/** @type {Object<string, string>} */
export const VERDICTS = {
  bona_fide: "Bona fide",
  suspect: "Suspect",
  alert: "Alert",
  inconclusive: "Inconclusive",
};

/** @type {Object<string, Phrase>} */
export const REASONS = {
  no_video: { title: "No video", detail: "No pictures arrive. Nothing can be judged until the camera is on." },
  no_audio: { title: "No audio", detail: "No sound arrives. Lips cannot be compared with a voice that is not there." },
  no_face: { title: "No face in view", detail: "Nothing can be judged until a face is visible." },
  several_faces: { title: "Several faces in view", detail: "It is not clear whose voice this is, so nobody is judged." },
  silence: { title: "Silence", detail: "At least two seconds of speech are needed for a judgement." },
  too_little_speech: {
    title: "Too little speech",
    detail: "How somebody moves is compared while they speak, and too little was said in the last seconds.",
  },
  low_quality: { title: "Picture too poor to judge", detail: "The face is too small, blurred, turned away or covered." },
  low_frame_rate: { title: "Too few frames", detail: "The video is too slow to show how the lips move." },
  warming_up: { title: "Warming up", detail: "Collecting the first seconds of face and speech." },
  not_enrolled: {
    title: "Lips and voice agree",
    detail: "That alone does not show a genuine person. Nobody is enrolled here to compare with.",
  },
  not_calibrated: {
    title: "Encoders not calibrated",
    detail: "What genuine people score with these encoders is not known here, so nobody is judged.",
  },
  clock_unknown: {
    title: "Timing not known yet",
    detail: "Waiting for the sender's clock reports, which put picture and sound on one time line.",
  },
  overloaded: { title: "Sidecar overloaded", detail: "This machine cannot keep up, so it does not guess." },
  unsupported_codec: { title: "Codec not supported", detail: "Publish video as H.264 or VP8 and audio as Opus." },
  frame_too_large: { title: "Picture too large", detail: "This sidecar accepts no larger video than 1080p." },
  media_stalled: { title: "Media stopped", detail: "No new pictures or sound arrive, though the connection is still open." },
  decoder_failed: { title: "Media cannot be decoded", detail: "The stream is damaged. Judging goes on when it recovers." },
  session_failed: { title: "Sidecar failed here", detail: "Judging this participant broke down. The sidecar's log says why." },
  ended: { title: "Left the call", detail: "The media ended. Findings stay in the list." },
  lips_disagree_with_voice: {
    title: "Lips and voice do not fit",
    detail: "No shift in time makes the lips fit the voice.",
  },
  reference_outdated: {
    title: "Reference outdated",
    detail: "It was made by other encoders than those that run here. Enrol this person again.",
  },
  identity_mismatch: {
    title: "Not like the enrolled person",
    detail: "The face is farther from the enrolled recordings than usual, too little to suspect anything.",
  },
  face_changes_unnaturally: {
    title: "Face may be worked on",
    detail: "The picture of the face has more traces of manipulation than usual, too little to suspect anything.",
  },
  moves_unlike_enrolled: {
    title: "Moves unlike the enrolled person",
    detail: "Face and head move less like the enrolled recordings than usual, too little to suspect anything.",
  },
};

const SUSPECT = "Evidence is growing but has not reached the alert level, so no finding is open.";

/** @type {Object<string, string>} what follows the reason where the verdict is an alert */
const CONSEQUENCES = {
  lips_disagree_with_voice:
    "Typical of a dubbed or replaced voice, another person's audio or a broken lip-sync. " +
    "A very long audio delay looks the same: check with the person another way.",
  identity_mismatch:
    "Typical of a swapped face, or of another person. A much changed look or an unusual camera can do it too: " +
    "check with the person another way.",
  face_changes_unnaturally:
    "Typical of a swapped or re-rendered face. Beauty filters and virtual make-up look the same: have them turned off, " +
    "and check with the person another way.",
  moves_unlike_enrolled:
    "Typical of a face that another person drives, or of another person. Reading aloud, illness or a very different mood " +
    "can do it too: check with the person another way.",
};

/** @type {Object<string, Phrase>} what a verdict says where its reason is missing or new to this page */
const WITHOUT_REASON = {
  bona_fide: {
    title: "Fits the enrolled person",
    detail: "What could be checked just now agrees with the references. It is a judgement of this moment, not a proof.",
  },
  suspect: { title: "Something does not fit", detail: SUSPECT },
  alert: { title: "Evidence of a forgery", detail: "The evidence passed the alert level. Check with the person another way." },
  inconclusive: { title: "Cannot tell", detail: "There is not enough to judge." },
};

/** @type {Object<string, string>} */
const DETECTORS = {
  synchrony: "Lips against voice",
  pairwise: "Face against references",
  persona: "Movement against references",
};

/**
 * A word of the API that this page does not know yet, made readable.
 * @param {string} word
 */
function readable(word) {
  const text = word.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** @param {string} verdict */
export function verdictWord(verdict) {
  return VERDICTS[verdict] ?? readable(verdict);
}

/** @param {string} name */
export function detectorWord(name) {
  return DETECTORS[name] ?? readable(name);
}

/**
 * What a verdict and its reason mean, for a reader who knows neither.
 * @param {string} verdict
 * @param {string | null | undefined} reason
 * @returns {Phrase}
 */
export function phrase(verdict, reason) {
  const plain = WITHOUT_REASON[verdict] ?? WITHOUT_REASON.inconclusive;
  if (verdict === "bona_fide" || !reason) return plain;
  const known = REASONS[reason] ?? { title: readable(reason), detail: plain.detail };
  if (verdict === "alert") return { title: known.title, detail: CONSEQUENCES[reason] ?? plain.detail };
  if (verdict === "suspect") return { title: known.title, detail: SUSPECT };
  return known;
}

/**
 * A p-value as a rarity among genuine people. Never "genuine": a usual score clears nobody.
 * @param {number} p in (0, 1]
 */
export function rarity(p) {
  if (p >= 0.1) return "nothing unusual";
  return `seen in 1 of ${round(1 / p)} genuine windows`;
}

/** @param {import("./types.js").DetectorScore} score */
export function scoreWords(score) {
  if (score.reason === "not_enrolled") return "nobody to compare with";
  if (score.reason) return REASONS[score.reason]?.title ?? readable(score.reason);
  if (typeof score.p_value === "number") return rarity(score.p_value);
  return typeof score.score === "number" ? `score ${score.score.toFixed(2)}` : "no score";
}

/**
 * One part of a comparison: how rare it is among genuine looks, and what was measured.
 * @param {import("./types.js").Measure | null | undefined} part
 */
export function partWords(part) {
  if (typeof part?.value !== "number") return "not known";
  return `${typeof part.p_value === "number" ? rareness(part.p_value) : "not calibrated"} (${signed(part.value)} σ)`;
}

/** @param {number} p in (0, 1] */
function rareness(p) {
  return p >= 0.1 ? "usual" : `1 in ${round(1 / p)}`;
}

/** @param {number} value */
function signed(value) {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;
}

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat("en", { maximumSignificantDigits: 2 });

/** @param {number} exponent */
function superscript(exponent) {
  return [...String(exponent)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]).join("");
}

/**
 * A count or ratio at a glance: two significant digits, from a million on its order of magnitude.
 * @param {number} value
 */
export function round(value) {
  if (!Number.isFinite(value)) return "∞";
  if (value >= 1e6) return `10${superscript(Math.floor(Math.log10(value)))}`;
  return value >= 100 ? WHOLE.format(Number(value.toPrecision(2))) : SHORT.format(value);
}

/** @type {Array<[string, string, (value: number) => string]>} quality name, label, value in words */
const QUALITY = [
  ["face_px", "Face", (value) => `${Math.round(value)} px`],
  ["fps", "Frames", (value) => `${value.toFixed(value < 10 ? 1 : 0)} /s`],
  ["speech_seconds", "Speech", (value) => `${value.toFixed(1)} s`],
  ["clock_uncertainty", "Clock", (value) => `± ${Math.round(value * 1000)} ms`],
];

/**
 * @param {Object<string, number> | undefined} quality
 * @returns {Array<[string, string]>} label and value, always the same four
 */
export function qualityWords(quality) {
  return QUALITY.map(([name, label, words]) => {
    const value = quality?.[name];
    return [label, typeof value === "number" && Number.isFinite(value) ? words(value) : "–"];
  });
}

/**
 * @param {string} from RFC 3339
 * @param {string | number} to RFC 3339 or milliseconds
 */
export function lasted(from, to) {
  const seconds = Math.max(0, Math.round((new Date(to).getTime() - new Date(from).getTime()) / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/**
 * The local time of day, with the date where it is not today.
 * @param {string} time RFC 3339
 * @param {Date} [now]
 */
export function clock(time, now = new Date()) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return "an unknown time";
  const of = date.toLocaleTimeString("en-GB");
  if (date.toDateString() === now.toDateString()) return of;
  return `${date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${of}`;
}

/**
 * The day of a time, as people write it.
 * @param {string} time RFC 3339, or a day
 */
export function day(time) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return "an unknown day";
  return date.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}
