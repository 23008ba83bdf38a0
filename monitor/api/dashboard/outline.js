/**
 * A face as a line drawing from its landmarks: all that is stored, and all that is ever shown, of anybody's face. The points
 * come in the order of the API: the curves one after another.
 */

import { s } from "./dom.js";

/** @typedef {Array<[number, number]>} Outline x and y in 0..1 of the face's box */

/** @type {Array<[number, boolean]>} how many points each curve has, and whether it ends where it begins */
export const CURVES = [
  [36, true],
  [16, true],
  [16, true],
  [10, true],
  [10, true],
  [20, true],
  [20, true],
  [6, false],
  [5, false],
];
const POINTS = CURVES.reduce((sum, [count]) => sum + count, 0);

/**
 * @param {unknown} value
 * @returns {value is Outline}
 */
export function isOutline(value) {
  return (
    Array.isArray(value) &&
    value.length === POINTS &&
    value.every((point) => Array.isArray(point) && point.every(Number.isFinite))
  );
}

/**
 * The drawing's one path, fitted into a square at (x, y): the face fills it, whatever part of its box it had.
 * @param {Outline} points
 * @param {number} x
 * @param {number} y
 * @param {number} size
 * @param {string} kind a class
 */
export function drawing(points, x, y, size, kind) {
  const left = Math.min(...points.map(([px]) => px));
  const top = Math.min(...points.map(([, py]) => py));
  const width = Math.max(...points.map(([px]) => px)) - left;
  const height = Math.max(...points.map(([, py]) => py)) - top;
  const scale = size / Math.max(width, height, 1e-6);
  const put = (/** @type {[number, number]} */ [px, py]) => {
    const across = x + (size - width * scale) / 2 + (px - left) * scale;
    const down = y + (size - height * scale) / 2 + (py - top) * scale;
    return `${across.toFixed(1)} ${down.toFixed(1)}`;
  };
  let from = 0;
  const parts = CURVES.map(([count, closed]) => {
    const curve = points.slice(from, from + count).map(put);
    from += count;
    return `M${curve.join("L")}${closed ? "Z" : ""}`;
  });
  return s("path", { class: `outline ${kind}`, d: parts.join("") });
}
