/**
 * What verdicts, reasons and detectors are called. The sidecar has the words (GET /v1/words); a page loads them once,
 * before it draws. A name that is not among them, such as that of a later version, is made readable.
 */

import { rarity, readable, round } from "./format.js";

/** @typedef {import("./types.js").Words} Words */
/** @typedef {import("./types.js").Phrase} Phrase */

/** @type {Words} */
let words = { verdicts: {}, reasons: {}, claims: {}, contrasts: {}, detectors: [] };

/** @param {Words} loaded what GET /v1/words answered */
export function useWords(loaded) {
  words = loaded;
}

/** @returns {import("./types.js").DetectorInfo[]} the detectors in the order to show them in */
export function detectors() {
  return words.detectors;
}

/** @param {string} verdict */
export function verdictLabel(verdict) {
  return words.verdicts[verdict]?.label ?? readable(verdict);
}

/**
 * @param {string} name
 * @returns {{ label: string, question: string, needsIdentity: boolean }}
 */
export function detectorWords(name) {
  const info = words.detectors.find((detector) => detector.name === name);
  if (!info) return { label: readable(name), question: "", needsIdentity: false };
  return { label: info.label, question: info.question, needsIdentity: info.needs_identity };
}

/**
 * What a verdict and its reason mean, for a reader who knows neither.
 * @param {string} verdict
 * @param {string | null | undefined} reason
 * @returns {Phrase}
 */
export function phrase(verdict, reason) {
  const general = words.verdicts[verdict] ?? words.verdicts.inconclusive ?? { title: readable(verdict), detail: "" };
  if (verdict === "bona_fide" || !reason) return general;
  const info = words.reasons[reason];
  return { title: info?.title ?? readable(reason), detail: info?.details[verdict] ?? general.detail };
}

/**
 * An identity with by what it is claimed, where that was not simply said.
 * @param {string} identity
 * @param {string | null | undefined} claim
 */
export function claimed(identity, claim) {
  return claim && claim !== "stated" ? `${identity}, ${words.claims[claim] ?? readable(claim)}` : identity;
}

/** @param {import("./types.js").DetectorScore} score */
export function scoreWords(score) {
  if (score.reason) return reasonWords(score.reason);
  if (typeof score.p_value === "number") return rarity(score.p_value);
  return typeof score.score === "number" ? `score ${score.score.toFixed(2)}` : "no score";
}

/** @param {string} reason */
function reasonWords(reason) {
  const info = words.reasons[reason];
  return info?.brief ?? info?.title ?? readable(reason);
}

/**
 * Every score as a line: the detector's label, what its score says, and the question that it answers.
 * @param {Object<string, import("./types.js").DetectorScore> | undefined} scores
 * @returns {Array<[string, string, string]>}
 */
export function scoreLines(scores) {
  return Object.entries(scores ?? {}).map(([name, score]) => {
    const { label, question } = detectorWords(name);
    return [label, scoreWords(score), question];
  });
}

const USUAL_FROM = 0.1;
const DIFFERS_TO = 0.05;

/**
 * What is said of face, voice, movement and lips, side by side; nothing where nobody is claimed, and so nothing compared.
 * @param {Object<string, import("./types.js").DetectorScore> | undefined} scores
 * @returns {Array<[string, string]>} what it is of, and what is said
 */
export function aspectLines(scores) {
  const shown = words.detectors.filter(({ name, aspect }) => aspect && scores?.[name]);
  const compared = shown.some(
    ({ name, needs_identity }) => needs_identity && scores?.[name]?.reason !== "not_enrolled",
  );
  if (!compared) return [];
  return shown.map((info) => [info.label, aspectWords(info, /** @type {any} */ (scores)[info.name])]);
}

/**
 * @param {import("./types.js").DetectorInfo} info
 * @param {import("./types.js").DetectorScore} score
 */
function aspectWords(info, score) {
  const { p_value: p } = score;
  if (typeof p !== "number") return scoreWords(score);
  if (p >= USUAL_FROM) return info.fits;
  const title = words.reasons[info.cause]?.title ?? readable(info.cause);
  return `${p > DIFFERS_TO ? "somewhat unusual" : title.charAt(0).toLowerCase() + title.slice(1)} (1 in ${round(1 / p)})`;
}

/**
 * What is said of a voice that lags its face as nobody else's on the same path does.
 * @param {unknown[]} evidence of each detector
 */
export function lagWords(evidence) {
  for (const one of evidence) {
    const { ms, others_ms: others } = Object(Object(one).lag);
    if (typeof ms !== "number" || !Array.isArray(others)) continue;
    const [low, high] = others;
    const range = low === high ? low : `${low} to ${high}`;
    return `The voice lags its face by ${ms} ms, the others' by ${range}. A wireless headset does that, too.`;
  }
  return "";
}

/**
 * What detectors say beside each other, in words: a contrast of face and voice, and a lag.
 * @param {unknown[]} evidence of each detector
 */
export function besideWords(evidence) {
  return [contrastWords(evidence), lagWords(evidence)].filter(Boolean).join(" ");
}

/**
 * What is said where one of face and voice fits the enrolled recordings and the other does not.
 * @param {unknown[]} evidence of each detector
 */
export function contrastWords(evidence) {
  for (const one of evidence) {
    const found = words.contrasts[Object(one).contrast];
    if (found) return `${found.title}.`;
  }
  return "";
}
