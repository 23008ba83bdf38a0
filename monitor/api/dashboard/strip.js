/**
 * The score strip: the last two minutes of accumulated evidence on a log axis, the alert level as a line, and a ribbon that
 * tells the verdicts by height as well as by colour. Time is the messages' own; a stalled participant does not scroll.
 */

import { onWidth, s } from "./dom.js";
import { round } from "./format.js";

/** @typedef {{ at: number, statistic: number, verdict: string }} Point `at` in seconds */
/** @typedef {[Point, ...Point[]]} Run points without a gap in time */
/** @typedef {(value: number) => number} Scale from a value to CSS pixels */

export const SPAN_SECONDS = 120;
const MAX_POINTS = 1200;
const MAX_GAP_SECONDS = 5;
const MIN_STATISTIC = 0.1;
const HEIGHT_PX = 96;
const TOP_PX = 2;
const RIGHT_PX = 6;
const RIBBON_PX = { alert: 10, suspect: 7, bona_fide: 4, inconclusive: 2 };

/**
 * The points still in view, oldest first, with the new one. One that is not newer than the last is ignored, unless it is so
 * much older that the sidecar's clock must have been set back: then the strip starts over.
 * @param {Point[]} points
 * @param {Point} point
 * @returns {Point[]}
 */
export function extend(points, point) {
  const last = points.at(-1);
  if (last && point.at <= last.at - MAX_GAP_SECONDS) return [point];
  if (last && point.at <= last.at) return points;
  return [...points, point].filter(({ at }) => at >= point.at - SPAN_SECONDS).slice(-MAX_POINTS);
}

/**
 * The log axis: whole decades that hold the threshold with one decade of room, and every point.
 * @param {Point[]} points
 * @param {number} threshold
 * @returns {[number, number]} exponents of ten
 */
export function decades(points, threshold) {
  const highest = points.reduce((max, { statistic }) => Math.max(max, statistic), threshold * 30);
  return [Math.log10(MIN_STATISTIC), Math.ceil(Math.log10(Math.min(highest, Number.MAX_VALUE)))];
}

/**
 * @param {Point[]} points
 * @returns {Run[]}
 */
export function runs(points) {
  /** @type {Run[]} */
  const found = [];
  for (const point of points) {
    const run = found.at(-1);
    const last = run?.at(-1);
    if (run && last && point.at - last.at <= MAX_GAP_SECONDS) run.push(point);
    else found.push([point]);
  }
  return found;
}

/** One participant's strip; `element` goes into the page. */
export class Strip {
  /** @param {number} [span] how many seconds it shows */
  constructor(span = SPAN_SECONDS) {
    this.span = span;
    /** @type {Point[]} */
    this.points = [];
    this.threshold = 0;
    this.width = 0;
    this.element = s("svg", { class: "strip", role: "img", height: HEIGHT_PX, width: "100%" });
    onWidth(this.element, (width) => {
      this.width = width;
      this.draw();
    });
  }

  /**
   * @param {Point} point
   * @param {number} threshold
   */
  push(point, threshold) {
    this.points = extend(this.points, point);
    this.threshold = threshold;
    this.draw();
  }

  draw() {
    const newest = this.points.at(-1);
    if (!this.width || !newest || !(this.threshold > 0)) return;
    const [low, high] = decades(this.points, this.threshold);
    const floor = HEIGHT_PX - RIBBON_PX.alert - 6;
    /** @type {Scale} */
    const x = (at) => (this.width - RIGHT_PX) * (1 - (newest.at - at) / this.span);
    /** @type {Scale} */
    const y = (value) => {
      const exponent = Math.log10(Math.min(Math.max(value, MIN_STATISTIC), 10 ** high));
      return floor - ((exponent - low) / (high - low)) * (floor - TOP_PX);
    };
    this.element.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT_PX}`);
    this.element.setAttribute("aria-label", this.describe(newest.statistic));
    this.element.replaceChildren(
      ...this.frame(low, floor, y),
      ...runs(this.points).flatMap((run) => trace(run, floor, x, y)),
      ...ribbon(this.points, x),
      dot(newest, x, y),
    );
  }

  /**
   * @param {number} low
   * @param {number} floor
   * @param {Scale} y
   */
  frame(low, floor, y) {
    const level = y(this.threshold);
    const grid = [];
    for (let exponent = Math.ceil(low); 10 ** exponent < this.threshold; exponent += 2) {
      grid.push(s("line", { class: "grid", x1: 0, x2: this.width, y1: y(10 ** exponent), y2: y(10 ** exponent) }));
    }
    return [
      s("rect", { class: "zone", x: 0, y: 0, width: this.width, height: level }),
      ...grid,
      s("line", { class: "base", x1: 0, x2: this.width, y1: floor, y2: floor }),
      s("line", { class: "threshold", x1: 0, x2: this.width, y1: level, y2: level }),
      s("text", { class: "label", x: 4, y: level - 5 }, "alert level"),
    ];
  }

  /** @param {number} now the newest statistic */
  describe(now) {
    const peak = this.points.reduce((max, { statistic }) => Math.max(max, statistic), 0);
    const values = `now ${round(now)}, highest ${round(peak)}, alert at ${round(this.threshold)}`;
    const length = this.span === SPAN_SECONDS ? "two minutes" : `${this.span} s`;
    return `Evidence over the last ${length}: ${values}.`;
  }
}

/**
 * @param {Run} run
 * @param {number} floor
 * @param {Scale} x
 * @param {Scale} y
 */
function trace(run, floor, x, y) {
  const line = run.map(({ at, statistic }) => `${x(at).toFixed(1)} ${y(statistic).toFixed(1)}`).join("L");
  const from = x(run[0].at).toFixed(1);
  const to = x((run.at(-1) ?? run[0]).at).toFixed(1);
  return [
    s("path", { class: "area", d: `M${from} ${floor}L${line}L${to} ${floor}Z` }),
    s("path", { class: "line", d: `M${line}` }),
  ];
}

/**
 * @param {Point[]} points
 * @param {Scale} x
 */
function ribbon(points, x) {
  return runs(points).flatMap((run) =>
    stretches(run).map(([first, last]) => {
      const height = ribbonHeight(first.verdict);
      const left = x(first.at);
      const width = Math.max(1.5, x(last.at) - left);
      return s("rect", { class: `ribbon ${first.verdict}`, x: left, y: HEIGHT_PX - height, width, height });
    }),
  );
}

/** @param {string} verdict */
function ribbonHeight(verdict) {
  return verdict in RIBBON_PX ? RIBBON_PX[/** @type {keyof RIBBON_PX} */ (verdict)] : RIBBON_PX.inconclusive;
}

/**
 * First and last point of each stretch of one verdict; a stretch reaches to the beginning of the next.
 * @param {Run} run
 * @returns {Array<[Point, Point]>}
 */
function stretches(run) {
  /** @type {Array<[Point, Point]>} */
  const found = [];
  for (const point of run) {
    const open = found.at(-1);
    if (open) open[1] = point;
    if (open?.[0].verdict !== point.verdict) found.push([point, point]);
  }
  return found;
}

/**
 * @param {Point} point
 * @param {Scale} x
 * @param {Scale} y
 */
function dot(point, x, y) {
  return s("circle", { class: `now ${point.verdict}`, cx: x(point.at), cy: y(point.statistic), r: 3.5 });
}
