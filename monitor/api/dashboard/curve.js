/**
 * The offset curve: how well the lips fit the voice at each shift in time, with the best shift marked. It is the evidence
 * behind "lips and voice do not fit", drawn so that a reader can judge it without knowing what a cosine is.
 */

import { h, onWidth, s } from "./dom.js";

/** @typedef {import("./types.js").CurveEvidence} CurveEvidence */

const HEIGHT = 170;
const MARGIN = { top: 18, right: 12, bottom: 24, left: 38 };
const LEAST_TOP = 0.6;
const HALF_LABEL = 88;
const CAPTION =
  "Genuine speech makes one clear peak, near 0 ms or at a steady delay of the equipment. " +
  "A low or ragged line means that no shift makes the lips fit the voice.";

/**
 * The curve in a finding's evidence or in a detector's score, wherever it lies.
 * @param {{ evidence?: unknown, scores?: Object<string, { evidence?: unknown }> }} message
 * @returns {CurveEvidence | null}
 */
export function findCurve({ evidence, scores }) {
  const nested = Object.values(Object(evidence));
  const scored = Object.values(Object(scores)).map((score) => Object(score).evidence);
  return [evidence, ...nested, ...scored].find(isCurve) ?? null;
}

/**
 * @param {any} value
 * @returns {value is CurveEvidence}
 */
function isCurve(value) {
  const { offsets_ms: offsets, agreement } = Object(value);
  if (!Array.isArray(offsets) || !Array.isArray(agreement) || offsets.length !== agreement.length) return false;
  return offsets.length > 1 && agreement.some((mean) => mean !== null);
}

/**
 * @param {CurveEvidence} curve
 * @returns {Array<[number, number]>} offset in ms and agreement, where there is one
 */
export function measured({ offsets_ms: offsets, agreement }) {
  return offsets.flatMap((offset, index) => {
    const mean = agreement[index];
    return typeof mean === "number" ? [/** @type {[number, number]} */ ([offset, mean])] : [];
  });
}

/**
 * @param {CurveEvidence} curve
 * @returns {[number, number]} where the agreement is best: offset in ms and agreement
 */
export function best(curve) {
  return measured(curve).reduce((top, point) => (point[1] > top[1] ? point : top));
}

/** @param {number} milliseconds */
function signed(milliseconds) {
  const whole = Math.round(milliseconds);
  return `${whole > 0 ? "+" : whole < 0 ? "−" : ""}${Math.abs(whole)} ms`;
}

/** The picture with its caption; `element` goes into the page and is hidden until there is a curve. */
export class Curve {
  constructor() {
    /** @type {CurveEvidence | null} */
    this.curve = null;
    this.width = 0;
    this.picture = s("svg", { class: "curve", role: "img", height: HEIGHT, width: "100%" });
    const title = h("p", { class: "figure-title" }, "Lips against voice, shifted in time");
    this.element = h("figure", { hidden: true }, title, this.picture, h("figcaption", {}, CAPTION));
    onWidth(this.picture, (width) => {
      this.width = width;
      this.draw();
    });
  }

  /** @param {CurveEvidence | null} curve null keeps the last one */
  show(curve) {
    if (!curve) return;
    this.curve = curve;
    this.element.hidden = false;
    this.draw();
  }

  draw() {
    if (!this.curve || !this.width) return;
    const [offset, agreement] = best(this.curve);
    const { x, y, low, high } = this.scales(this.curve);
    this.picture.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
    this.picture.setAttribute("aria-label", `Best agreement ${agreement.toFixed(2)} at a shift of ${signed(offset)}.`);
    const line = measured(this.curve).map(([at, mean]) => `${x(at).toFixed(1)} ${y(mean).toFixed(1)}`);
    this.picture.replaceChildren(
      ...this.axes(x, y, low, high),
      s("path", { class: "line", d: `M${line.join("L")}` }),
      s("line", { class: "best", x1: x(offset), x2: x(offset), y1: y(agreement), y2: HEIGHT - MARGIN.bottom }),
      s("circle", { class: "best-dot", cx: x(offset), cy: y(agreement), r: 4 }),
      this.label(x(offset), y(agreement), `best fit ${agreement.toFixed(2)} at ${signed(offset)}`),
    );
  }

  /** @param {CurveEvidence} curve */
  scales(curve) {
    const first = curve.offsets_ms[0];
    const last = curve.offsets_ms[curve.offsets_ms.length - 1];
    const means = measured(curve).map(([, mean]) => mean);
    const low = Math.min(-0.2, Math.floor(Math.min(...means) * 5) / 5);
    const high = Math.max(LEAST_TOP, Math.ceil(Math.max(...means) * 5) / 5);
    const wide = this.width - MARGIN.left - MARGIN.right;
    const tall = HEIGHT - MARGIN.top - MARGIN.bottom;
    return {
      x: (/** @type {number} */ at) => MARGIN.left + (wide * (at - first)) / (last - first),
      y: (/** @type {number} */ value) => MARGIN.top + tall * (1 - (value - low) / (high - low)),
      low,
      high,
    };
  }

  /**
   * @param {(at: number) => number} x
   * @param {(value: number) => number} y
   * @param {number} low
   * @param {number} high
   */
  axes(x, y, low, high) {
    const parts = [];
    const right = this.width - MARGIN.right;
    for (let step = Math.round(low * 5); step <= Math.round(high * 5); step += 1) {
      const value = step / 5;
      parts.push(s("line", { class: step ? "grid" : "base", x1: MARGIN.left, x2: right, y1: y(value), y2: y(value) }));
      parts.push(s("text", { class: "label end", x: MARGIN.left - 6, y: y(value) + 4 }, value.toFixed(1)));
    }
    for (const at of [-400, 0, 400]) {
      parts.push(s("line", { class: "grid", x1: x(at), x2: x(at), y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom }));
      parts.push(s("text", { class: "label middle", x: x(at), y: HEIGHT - 8 }, at ? signed(at) : "0"));
    }
    return parts;
  }

  /**
   * @param {number} left
   * @param {number} top
   * @param {string} text
   */
  label(left, top, text) {
    const middle = Math.min(Math.max(left, MARGIN.left + HALF_LABEL), this.width - HALF_LABEL);
    return s("text", { class: "label strong middle", x: middle, y: Math.max(12, top - 10) }, text);
  }
}
