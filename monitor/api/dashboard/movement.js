/**
 * How somebody moves while they speak, against how the enrolled person does: both answers apart, and a timeline of the last
 * moments in which those that did not look like the person stand out.
 */

import { h, onWidth, pairs, s } from "./dom.js";
import { partWords } from "./words.js";

/** @typedef {import("./types.js").PersonaEvidence} PersonaEvidence */
/** @typedef {import("./types.js").Moment} Moment */
/** @typedef {{ at: number, value: number }} Known a moment of which something is known */

const HEIGHT = 92;
const MARGIN = { top: 8, right: 4, bottom: 20, left: 4 };
// A moment stands for three seconds; one begins every half second.
const STEP = 0.5;
const LEAST_TOP = 2;
// Up to here lie nine in ten genuine people: the sidecar gives moments in this size.
const USUAL = 1;
const MEASURES = "How rare such movement is among genuine people, and how far from this person's own, in their spread σ.";
const CAPTION =
  "Each bar is three seconds of speech. Bars above the line are moments in which face and head moved less like the enrolled " +
  "person than nine in ten genuine people do. Gaps are moments without a face or without speech.";

/** @type {Array<["distance" | "companion", string]>} */
const PARTS = [
  ["distance", "Movement for what is said"],
  ["companion", "Manner of moving"],
];

/**
 * The evidence of `persona` in a finding or in a state, wherever it lies.
 * @param {{ evidence?: any, scores?: Object<string, { evidence?: any }> }} message
 * @returns {PersonaEvidence | null}
 */
export function findMovement({ evidence, scores }) {
  const found = [Object(evidence).persona, Object(Object(scores).persona).evidence];
  return found.find((each) => PARTS.some(([part]) => typeof Object(Object(each)[part]).value === "number")) ?? null;
}

/**
 * @param {unknown} timeline
 * @returns {Known[]} the moments of which something is known, oldest first
 */
export function moments(timeline) {
  if (!Array.isArray(timeline)) return [];
  const known = timeline.filter((each) => Number.isFinite(Object(each).at) && Number.isFinite(Object(each).value));
  return known.sort((a, b) => a.at - b.at);
}

/** The measures and the timeline; `element` goes into the page and is hidden until there is something to show. */
export class Movement {
  constructor() {
    /** @type {Known[]} */
    this.moments = [];
    this.width = 0;
    this.measures = h("dl", { class: "measures" });
    this.picture = s("svg", { class: "timeline", role: "img", height: HEIGHT, width: "100%" });
    this.line = h("div", { hidden: true }, this.picture, h("p", { class: "caption" }, CAPTION));
    const title = h("p", { class: "figure-title" }, "Movement against references");
    this.element = h("figure", { class: "movement", hidden: true }, title, this.measures, h("p", { class: "caption" }, MEASURES), this.line);
    onWidth(this.picture, (width) => {
      this.width = width;
      this.draw();
    });
  }

  /** @param {PersonaEvidence | null} evidence null keeps the last one */
  show(evidence) {
    if (!evidence) return;
    this.element.hidden = false;
    pairs(this.measures, PARTS.map(([part, name]) => [name, partWords(evidence[part])]));
    this.moments = moments(evidence.timeline);
    this.line.hidden = !this.moments.length;
    this.draw();
  }

  draw() {
    const last = this.moments.at(-1);
    if (!last || !this.width) return;
    const span = Math.max(last.at - this.moments[0].at, 10) + STEP;
    const high = this.moments.reduce((most, { value }) => Math.max(most, value), LEAST_TOP);
    const floor = HEIGHT - MARGIN.bottom;
    const wide = this.width - MARGIN.left - MARGIN.right;
    const x = (/** @type {number} */ at) => MARGIN.left + wide * (1 - (last.at + STEP - at) / span);
    const y = (/** @type {number} */ value) => floor - (Math.max(value, 0) / high) * (floor - MARGIN.top);
    this.picture.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
    this.picture.setAttribute("aria-label", this.describe(span));
    this.picture.replaceChildren(
      ...this.moments.map((moment) => bar(moment, x, y, floor)),
      s("line", { class: "base", x1: MARGIN.left, x2: this.width - MARGIN.right, y1: floor, y2: floor }),
      s("line", { class: "threshold", x1: MARGIN.left, x2: this.width - MARGIN.right, y1: y(USUAL), y2: y(USUAL) }),
      s("text", { class: "label", x: MARGIN.left, y: HEIGHT - 5 }, `${Math.round(span)} s before`),
      s("text", { class: "label end", x: this.width - MARGIN.right, y: HEIGHT - 5 }, "last"),
    );
  }

  /** @param {number} span */
  describe(span) {
    const unlike = this.moments.filter(({ value }) => value > USUAL).length;
    return `Of ${this.moments.length} moments in ${Math.round(span)} s, ${unlike} did not look like the enrolled person.`;
  }
}

/**
 * @param {Known} moment
 * @param {(at: number) => number} x
 * @param {(value: number) => number} y
 * @param {number} floor
 */
function bar({ at, value }, x, y, floor) {
  const left = x(at);
  const top = Math.min(y(value), floor - 2);
  const width = Math.max(1, x(at + STEP) - left - 1);
  return s("rect", { class: value > USUAL ? "moment unlike" : "moment", x: left, y: top, width, height: floor - top });
}
