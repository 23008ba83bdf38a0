/** One shape per verdict, so that colour is never the only sign. Decorative: the word stands beside it. */

import { s } from "./dom.js";

const PATHS = {
  bona_fide: ["M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13z", "M5 8.3l2.1 2.1L11.2 6"],
  suspect: ["M8 1.8L15 14H1z", "M8 6.4v3.4", "M8 11.9v.2"],
  alert: ["M5.2 1.5h5.6l3.7 3.7v5.6l-3.7 3.7H5.2l-3.7-3.7V5.2z", "M8 4.6v4.2", "M8 11.2v.2"],
  inconclusive: ["M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13z", "M5.3 8h5.4"],
};

/**
 * @param {string} verdict
 * @returns {SVGElement} 16 x 16, drawn in the text's colour
 */
export function icon(verdict) {
  const shape = verdict in PATHS ? PATHS[/** @type {keyof PATHS} */ (verdict)] : PATHS.inconclusive;
  const paths = shape.map((d) => s("path", { d }));
  return s(
    "svg",
    { class: `icon ${verdict}`, viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" },
    ...paths,
  );
}
