/**
 * What `persona` says of how somebody moves while they speak, against how the enrolled person does: both measures apart,
 * and a timeline of the last moments in which those that did not look like the person stand out.
 */

import { h, onWidth, pairs, s } from "./dom.js";
import { measureWords } from "./format.js";

/** @typedef {import("./types.js").PersonaEvidence} PersonaEvidence */
/** @typedef {{ at: number, value: number }} Moment of which something is known; `at` in seconds of the call */
/** @typedef {(value: number) => number} Scale from a value to CSS pixels */

const HEIGHT_PX = 92;
const MARGIN_PX = { top: 8, right: 4, bottom: 20, left: 4 };
// A moment stands for three seconds; one begins every half second.
const STEP_SECONDS = 0.5;
const MIN_SPAN_SECONDS = 10;
const MIN_AXIS_TOP = 2;
// Up to here lie nine in ten genuine people: the sidecar gives moments in this size.
const USUAL = 1;
const MEASURES_CAPTION =
  "How rare such movement is among genuine people, and how far from this person's own, in their spread σ.";
const TIMELINE_CAPTION =
  "Each bar is three seconds of speech. Bars above the line are moments in which face and head moved less like the " +
  "enrolled person than nine in ten genuine people do. Gaps are moments without a face or without speech.";

/** @type {Array<["distance" | "companion", string]>} */
const MEASURES = [
  ["distance", "Movement for what is said"],
  ["companion", "Manner of moving"],
];

/**
 * @param {unknown} evidence
 * @returns {evidence is PersonaEvidence} whether anything was measured
 */
function isMeasured(evidence) {
  return MEASURES.some(([name]) => typeof Object(Object(evidence)[name]).value === "number");
}

/**
 * @param {unknown} timeline
 * @returns {Moment[]} the moments of which something is known, oldest first
 */
export function moments(timeline) {
  if (!Array.isArray(timeline)) return [];
  const measured = timeline.filter((moment) => Number.isFinite(moment?.at) && Number.isFinite(moment?.value));
  return measured.sort((a, b) => a.at - b.at);
}

/** The measures and the timeline. */
export class PersonaFigure {
  constructor() {
    /** @type {Moment[]} */
    this.moments = [];
    this.width = 0;
    this.measures = h("dl", { class: "measures" });
    this.picture = s("svg", { class: "timeline", role: "img", height: HEIGHT_PX, width: "100%" });
    this.timeline = h("div", { hidden: true }, this.picture, h("p", { class: "caption" }, TIMELINE_CAPTION));
    const title = h("p", { class: "figure-title" }, "Movement against references");
    const caption = h("p", { class: "caption" }, MEASURES_CAPTION);
    this.element = h("figure", { class: "movement", hidden: true }, title, this.measures, caption, this.timeline);
    onWidth(this.picture, (width) => {
      this.width = width;
      this.draw();
    });
  }

  /** @param {unknown} evidence */
  show(evidence) {
    if (!isMeasured(evidence)) return;
    this.element.hidden = false;
    pairs(
      this.measures,
      MEASURES.map(([name, label]) => [label, measureWords(evidence[name])]),
    );
    this.moments = moments(evidence.timeline);
    this.timeline.hidden = !this.moments.length;
    this.draw();
  }

  draw() {
    const [first, last] = [this.moments[0], this.moments.at(-1)];
    if (!first || !last || !this.width) return;
    const span = Math.max(last.at - first.at, MIN_SPAN_SECONDS) + STEP_SECONDS;
    const top = Math.max(MIN_AXIS_TOP, ...this.moments.map(({ value }) => value));
    const floor = HEIGHT_PX - MARGIN_PX.bottom;
    const [left, right] = [MARGIN_PX.left, this.width - MARGIN_PX.right];
    /** @type {Scale} */
    const x = (at) => left + (right - left) * (1 - (last.at + STEP_SECONDS - at) / span);
    /** @type {Scale} */
    const y = (value) => floor - (Math.max(value, 0) / top) * (floor - MARGIN_PX.top);
    this.picture.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT_PX}`);
    this.picture.setAttribute("aria-label", this.describe(span));
    this.picture.replaceChildren(
      ...this.moments.map((moment) => bar(moment, x, y, floor)),
      s("line", { class: "base", x1: left, x2: right, y1: floor, y2: floor }),
      s("line", { class: "threshold", x1: left, x2: right, y1: y(USUAL), y2: y(USUAL) }),
      s("text", { class: "label", x: left, y: HEIGHT_PX - 5 }, `${Math.round(span)} s before`),
      s("text", { class: "label end", x: right, y: HEIGHT_PX - 5 }, "last"),
    );
  }

  /** @param {number} span seconds */
  describe(span) {
    const unlike = this.moments.filter(({ value }) => value > USUAL).length;
    return `Of ${this.moments.length} moments in ${Math.round(span)} s, ${unlike} did not look like the enrolled person.`;
  }
}

/**
 * @param {Moment} moment
 * @param {Scale} x
 * @param {Scale} y
 * @param {number} floor
 */
function bar({ at, value }, x, y, floor) {
  const left = x(at);
  const top = Math.min(y(value), floor - 2);
  const width = Math.max(1, x(at + STEP_SECONDS) - left - 1);
  return s("rect", {
    class: value > USUAL ? "moment unlike" : "moment",
    x: left,
    y: top,
    width,
    height: floor - top,
  });
}
