/**
 * What the comparison of a face says, its parts apart: how far from the person's own recordings, how much like a face that
 * was worked on, how much changed since the call began; and the two looks that fit least, as outlines.
 */

import { h, pairs, s } from "./dom.js";
import { drawing, isOutline } from "./outline.js";
import { day, partWords } from "./words.js";

/** @typedef {import("./types.js").PairwiseEvidence} PairwiseEvidence */

const SIZE = 132;
const GAP = 28;
const HEIGHT = SIZE + 30;
const MEASURES = "How rare such a value is among genuine looks, and how far from their middle, in their spread σ.";
const CAPTION =
  "The look in the call that fits least, beside the enrolled one nearest to it in pose. These points are all that is kept of " +
  "either: no picture of anybody is stored.";

/** @type {Array<["identity" | "artefact" | "within_call", string]>} */
const PARTS = [
  ["identity", "Distance to the person"],
  ["artefact", "Traces of manipulation"],
  ["within_call", "Change within this call"],
];

/**
 * The evidence of a face comparison in a finding or in a state, wherever it lies.
 * @param {{ evidence?: any, scores?: Object<string, { evidence?: any }> }} message
 * @returns {PairwiseEvidence | null}
 */
export function findLikeness({ evidence, scores }) {
  const found = [Object(evidence).pairwise, Object(Object(scores).pairwise).evidence];
  return found.find((each) => PARTS.some(([part]) => typeof Object(Object(each)[part]).value === "number")) ?? null;
}

/** The measures and the worst pair; `element` goes into the page and is hidden until there is something to show. */
export class Likeness {
  constructor() {
    this.measures = h("dl", { class: "measures" });
    this.picture = s("svg", { class: "pair", role: "img", width: "100%", height: HEIGHT, viewBox: `0 0 ${2 * SIZE + GAP} ${HEIGHT}` });
    this.pair = h("div", { hidden: true }, this.picture, h("p", { class: "caption" }, CAPTION));
    const title = h("p", { class: "figure-title" }, "Face against references");
    this.element = h("figure", { class: "likeness", hidden: true }, title, this.measures, h("p", { class: "caption" }, MEASURES), this.pair);
  }

  /** @param {PairwiseEvidence | null} evidence null keeps the last one */
  show(evidence) {
    if (!evidence) return;
    this.element.hidden = false;
    pairs(this.measures, PARTS.map(([part, name]) => [name, partWords(evidence[part])]));
    this.draw(evidence);
  }

  /** @param {PairwiseEvidence} evidence */
  draw({ worst_pair: worst, made, rung }) {
    if (!worst || !isOutline(worst.live) || !isOutline(worst.reference)) {
      this.pair.hidden = true;
      return;
    }
    const ago = Math.round(worst.age_seconds ?? 0);
    const when = made ? `enrolled ${day(made)}` : "enrolled";
    this.pair.hidden = false;
    this.picture.setAttribute("aria-label", `Two outlines of a face: in this call ${ago} s ago, and ${when}, ${rung ?? "as recorded"}.`);
    this.picture.replaceChildren(
      drawing(worst.live, 0, 4, SIZE, "live"),
      drawing(worst.reference, SIZE + GAP, 4, SIZE, "kept"),
      s("text", { class: "label middle", x: SIZE / 2, y: HEIGHT - 6 }, ago ? `in the call, ${ago} s ago` : "in the call, now"),
      s("text", { class: "label middle", x: SIZE * 1.5 + GAP, y: HEIGHT - 6 }, when),
    );
  }
}
