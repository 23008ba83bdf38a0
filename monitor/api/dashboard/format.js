/** Numbers and times as people read them. */

/**
 * A word of the API made readable: `no_face` becomes `No face`.
 * @param {string} word
 */
export function readable(word) {
  const text = word.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const SHORT3 = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
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

/**
 * @param {number} value
 * @param {number} decimals
 */
export function signed(value, decimals) {
  const size = Math.abs(value).toFixed(decimals);
  return `${value < 0 ? "−" : "+"}${size}`;
}

/**
 * A p-value as a rarity among genuine people. Never "genuine": a usual score clears nobody.
 * @param {number} p in (0, 1]
 */
export function rarity(p) {
  return p >= 0.1 ? "nothing unusual" : `seen in 1 of ${round(1 / p)} genuine windows`;
}

/**
 * One measure of a comparison: how rare it is among genuine people, and what was measured.
 * @param {import("./types.js").Measure | null | undefined} measure
 */
export function measureWords(measure) {
  if (typeof measure?.value !== "number") return "not known";
  const { value, p_value: p } = measure;
  const rareness = typeof p !== "number" ? "not calibrated" : p >= 0.1 ? "usual" : `1 in ${round(1 / p)}`;
  return `${rareness} (${signed(value, 1)} σ)`;
}

/** @type {Array<[string, string, (value: number) => string]>} quality name, label, value in words */
const QUALITY = [
  ["face_px", "Face", (value) => `${Math.round(value)} px`],
  ["fps", "Frames", (value) => `${value.toFixed(value < 10 ? 1 : 0)} /s`],
  ["speech_seconds", "Speech", (value) => `${value.toFixed(1)} s`],
  ["clock_uncertainty", "Clock", (value) => `± ${Math.round(value * 1000)} ms`],
];

/**
 * How much of somebody's time in the call was watched.
 * @param {import("./types.js").Coverage} coverage
 */
export function coverageWords({ seconds, watched_seconds: watched }) {
  if (seconds < 1) return "";
  const length = seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
  return `watched ${Math.floor((100 * watched) / seconds)} % of ${length}`;
}

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

/** @type {Array<[string, string, string, number]>} quality name, label, unit, how many of it a value is */
const CONDITIONS = [
  ["face_px", "Size of the face", "px", 1],
  ["fps", "Pictures a second", "", 1],
  ["speech_seconds", "Speech in the window", "s", 1],
  ["face_fraction", "Share of the window with a face", "%", 100],
  ["clock_uncertainty", "Uncertainty of the clock", "ms", 1000],
  ["dropped", "Media dropped since they joined", "", 1],
];

/**
 * In what conditions somebody was judged.
 * @param {import("./types.js").Conditions} conditions
 * @returns {Array<[string, string, string]>} label, value then, and its range in the minute before
 */
export function conditionRows({ quality = {}, ranges = {} }) {
  return CONDITIONS.flatMap(([name, label, unit, scale]) => {
    const value = quality[name];
    if (typeof value !== "number") return [];
    const words = (/** @type {number} */ number) => SHORT3.format(number * scale);
    const [low, high] = ranges[name] ?? [value, value];
    const spread = low === high ? words(low) : `${words(low)} to ${words(high)}`;
    return [
      /** @type {[string, string, string]} */ ([label, `${words(value)} ${unit}`.trim(), `${spread} ${unit}`.trim()]),
    ];
  });
}

/**
 * @param {string} from RFC 3339
 * @param {string | number} to RFC 3339 or milliseconds
 */
export function duration(from, to) {
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
  const timeOfDay = date.toLocaleTimeString("en-GB");
  if (date.toDateString() === now.toDateString()) return timeOfDay;
  return `${date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${timeOfDay}`;
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

/** @param {Uint8Array} bytes */
export function hex(bytes) {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
