/**
 * What `pairwise` says, its measures apart: how far the face is from the person's own recordings, how much like a face
 * that was worked on, how much it changed since the call began; and the two looks that fit least, as outlines.
 */

import { h, pairs, s } from "./dom.js";
import { day, measureWords } from "./format.js";
import { drawing, isOutline } from "./outline.js";

/** @typedef {import("./types.js").PairwiseEvidence} PairwiseEvidence */

const SIZE_PX = 132;
const GAP_PX = 28;
const HEIGHT_PX = SIZE_PX + 30;
const MEASURES_CAPTION =
  "How rare such a value is among genuine looks, and how far from their middle, in their spread σ.";
const PAIR_CAPTION =
  "The look in the call that fits least, beside the enrolled one nearest to it in pose. These points are all that is " +
  "stored of either: no picture of anybody is stored.";

/** @type {Array<["identity" | "artefact" | "within_call", string]>} */
const MEASURES = [
  ["identity", "Distance to the person"],
  ["artefact", "Traces of manipulation"],
  ["within_call", "Change within this call"],
];

/**
 * @param {unknown} evidence
 * @returns {evidence is PairwiseEvidence} whether anything was measured
 */
function isMeasured(evidence) {
  return MEASURES.some(([name]) => typeof Object(Object(evidence)[name]).value === "number");
}

/** The measures and the worst pair. */
export class PairwiseFigure {
  constructor() {
    this.measures = h("dl", { class: "measures" });
    const viewBox = `0 0 ${2 * SIZE_PX + GAP_PX} ${HEIGHT_PX}`;
    this.picture = s("svg", { class: "pair", role: "img", width: "100%", height: HEIGHT_PX, viewBox });
    this.pair = h("div", { hidden: true }, this.picture, h("p", { class: "caption" }, PAIR_CAPTION));
    const title = h("p", { class: "figure-title" }, "Face against references");
    const caption = h("p", { class: "caption" }, MEASURES_CAPTION);
    this.element = h("figure", { class: "likeness", hidden: true }, title, this.measures, caption, this.pair);
  }

  /** @param {unknown} evidence */
  show(evidence) {
    if (!isMeasured(evidence)) return;
    this.element.hidden = false;
    pairs(
      this.measures,
      MEASURES.map(([name, label]) => [label, measureWords(evidence[name])]),
    );
    this.draw(evidence);
  }

  /** @param {PairwiseEvidence} evidence */
  draw({ worst_pair: worst, made, rung }) {
    if (!worst || !isOutline(worst.live) || !isOutline(worst.reference)) {
      this.pair.hidden = true;
      return;
    }
    const ago = Math.round(worst.age_seconds ?? 0);
    const enrolled = made ? `enrolled ${day(made)}` : "enrolled";
    const words = `Two outlines of a face: in this call ${ago} s ago, and ${enrolled}, ${rung ?? "as recorded"}.`;
    this.pair.hidden = false;
    this.picture.setAttribute("aria-label", words);
    const labelled = { class: "label middle", y: HEIGHT_PX - 6 };
    this.picture.replaceChildren(
      drawing(worst.live, 0, 4, SIZE_PX, "live"),
      drawing(worst.reference, SIZE_PX + GAP_PX, 4, SIZE_PX, "enrolled"),
      s("text", { ...labelled, x: SIZE_PX / 2 }, ago ? `in the call, ${ago} s ago` : "in the call, now"),
      s("text", { ...labelled, x: SIZE_PX * 1.5 + GAP_PX }, enrolled),
    );
  }
}
