/**
 * The offset curve of `synchrony`: how well the lips fit the voice at each shift in time, with the best shift marked. It
 * is the evidence behind "lips and voice do not fit", drawn so that a reader can judge it without knowing what a cosine is.
 */

import { h, onWidth, s } from "./dom.js";

/** @typedef {import("./types.js").SynchronyEvidence} SynchronyEvidence */
/** @typedef {[number, number]} Point offset in milliseconds, and agreement */
/** @typedef {(value: number) => number} Scale from a value to CSS pixels */

const HEIGHT_PX = 170;
const MARGIN_PX = { top: 18, right: 12, bottom: 24, left: 38 };
const HALF_LABEL_PX = 88;
// The axis of agreement shows at least this much, so that noise does not look like a peak.
const MIN_AXIS = { low: -0.2, high: 0.6 };
const AXIS_STEPS_PER_UNIT = 5;
const OFFSET_LABELS_MS = [-400, 0, 400];
const CAPTION =
  "Genuine speech makes one clear peak, near 0 ms or at a steady delay of the equipment. " +
  "A low or ragged line means that no shift makes the lips fit the voice.";

/**
 * @param {unknown} value
 * @returns {value is SynchronyEvidence} whether there is a curve to draw
 */
export function isCurve(value) {
  const { offsets_ms: offsets, agreement } = Object(value);
  if (!Array.isArray(offsets) || !Array.isArray(agreement) || offsets.length !== agreement.length) return false;
  return offsets.length > 1 && offsets.every(Number.isFinite) && agreement.some(Number.isFinite);
}

/**
 * @param {SynchronyEvidence} curve
 * @returns {Point[]} the offsets at which there is an agreement
 */
export function points({ offsets_ms: offsets, agreement }) {
  return offsets.flatMap((offset, index) => {
    const mean = agreement[index];
    return typeof mean === "number" ? [/** @type {Point} */ ([offset, mean])] : [];
  });
}

/**
 * @param {SynchronyEvidence} curve
 * @returns {Point} where the agreement is best
 */
export function best(curve) {
  return points(curve).reduce((top, point) => (point[1] > top[1] ? point : top));
}

/** @param {number} milliseconds */
function offsetWords(milliseconds) {
  const whole = Math.round(milliseconds);
  return `${whole > 0 ? "+" : whole < 0 ? "−" : ""}${Math.abs(whole)} ms`;
}

/**
 * @param {SynchronyEvidence} evidence
 * @returns {string} by whose agreement the lips and the voice were judged; nothing where that is not told
 */
export function judgedBy({ judged_by: whose, own }) {
  if (whose === "people") return "Judged by people in general.";
  if (whose !== "own") return "";
  const { windows, rung } = Object(own);
  return `Judged by the enrolled person's own agreement, from ${windows} windows of enrolment (${rung}).`;
}

/** The picture with its caption. */
export class SynchronyFigure {
  constructor() {
    /** @type {SynchronyEvidence | null} */
    this.curve = null;
    this.width = 0;
    this.picture = s("svg", { class: "curve", role: "img", height: HEIGHT_PX, width: "100%" });
    const title = h("p", { class: "figure-title" }, "Lips against voice, shifted in time");
    this.judge = h("p", { class: "judge" });
    this.element = h("figure", { hidden: true }, title, this.picture, h("figcaption", {}, CAPTION, this.judge));
    onWidth(this.picture, (width) => {
      this.width = width;
      this.draw();
    });
  }

  /** @param {unknown} evidence */
  show(evidence) {
    if (!isCurve(evidence)) return;
    this.curve = evidence;
    this.element.hidden = false;
    this.judge.textContent = judgedBy(evidence);
    this.draw();
  }

  draw() {
    if (!this.curve || !this.width) return;
    const [offset, agreement] = best(this.curve);
    const { x, y, low, high } = this.scales(this.curve);
    this.picture.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT_PX}`);
    const words = `Best agreement ${agreement.toFixed(2)} at a shift of ${offsetWords(offset)}.`;
    this.picture.setAttribute("aria-label", words);
    const line = points(this.curve).map(([at, mean]) => `${x(at).toFixed(1)} ${y(mean).toFixed(1)}`);
    const floor = HEIGHT_PX - MARGIN_PX.bottom;
    this.picture.replaceChildren(
      ...this.axes(x, y, low, high),
      s("path", { class: "line", d: `M${line.join("L")}` }),
      s("line", { class: "best", x1: x(offset), x2: x(offset), y1: y(agreement), y2: floor }),
      s("circle", { class: "best-dot", cx: x(offset), cy: y(agreement), r: 4 }),
      this.label(x(offset), y(agreement), `best fit ${agreement.toFixed(2)} at ${offsetWords(offset)}`),
    );
  }

  /**
   * @param {SynchronyEvidence} curve
   * @returns {{ x: Scale, y: Scale, low: number, high: number }} the scales, and the ends of the axis of agreement
   */
  scales(curve) {
    const first = Math.min(...curve.offsets_ms);
    const last = Math.max(...curve.offsets_ms);
    const means = points(curve).map(([, mean]) => mean);
    const whole = (/** @type {number} */ steps) => steps / AXIS_STEPS_PER_UNIT;
    const low = Math.min(MIN_AXIS.low, whole(Math.floor(Math.min(...means) * AXIS_STEPS_PER_UNIT)));
    const high = Math.max(MIN_AXIS.high, whole(Math.ceil(Math.max(...means) * AXIS_STEPS_PER_UNIT)));
    const plotWidth = this.width - MARGIN_PX.left - MARGIN_PX.right;
    const plotHeight = HEIGHT_PX - MARGIN_PX.top - MARGIN_PX.bottom;
    return {
      x: (offset) => MARGIN_PX.left + (plotWidth * (offset - first)) / (last - first),
      y: (mean) => MARGIN_PX.top + plotHeight * (1 - (mean - low) / (high - low)),
      low,
      high,
    };
  }

  /**
   * @param {Scale} x
   * @param {Scale} y
   * @param {number} low
   * @param {number} high
   */
  axes(x, y, low, high) {
    const parts = [];
    const [left, right] = [MARGIN_PX.left, this.width - MARGIN_PX.right];
    const lastStep = Math.round(high * AXIS_STEPS_PER_UNIT);
    for (let step = Math.round(low * AXIS_STEPS_PER_UNIT); step <= lastStep; step += 1) {
      const value = step / AXIS_STEPS_PER_UNIT;
      parts.push(s("line", { class: step ? "grid" : "base", x1: left, x2: right, y1: y(value), y2: y(value) }));
      parts.push(s("text", { class: "label end", x: left - 6, y: y(value) + 4 }, value.toFixed(1)));
    }
    for (const at of OFFSET_LABELS_MS) {
      const floor = HEIGHT_PX - MARGIN_PX.bottom;
      parts.push(s("line", { class: "grid", x1: x(at), x2: x(at), y1: MARGIN_PX.top, y2: floor }));
      parts.push(s("text", { class: "label middle", x: x(at), y: HEIGHT_PX - 8 }, at ? offsetWords(at) : "0"));
    }
    return parts;
  }

  /**
   * @param {number} left
   * @param {number} top
   * @param {string} text
   */
  label(left, top, text) {
    const middle = Math.min(Math.max(left, MARGIN_PX.left + HALF_LABEL_PX), this.width - HALF_LABEL_PX);
    return s("text", { class: "label strong middle", x: middle, y: Math.max(12, top - 10) }, text);
  }
}
