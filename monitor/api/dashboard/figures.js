/**
 * The evidence of every detector, drawn by the figure that this page has for it; a detector that has none here gets a
 * table. This is the only place that knows detectors by name.
 */

import { h } from "./dom.js";
import { EvidenceTable } from "./evidence_table.js";
import { PairwiseFigure } from "./pairwise.js";
import { PersonaFigure } from "./persona.js";
import { SynchronyFigure } from "./synchrony.js";

/** @typedef {import("./types.js").DetectorScore} DetectorScore */
/**
 * A picture of one detector's evidence. `element` goes into the page and is hidden until there is something to show. A
 * drawing stays while its detector abstains.
 * @typedef {{ element: HTMLElement, show: (evidence: unknown, score: DetectorScore) => void }} Figure
 */

/** @type {Object<string, new () => Figure>} */
const FIGURES = { synchrony: SynchronyFigure, pairwise: PairwiseFigure, persona: PersonaFigure };
/** @type {DetectorScore} */
const NO_SCORE = { score: null, p_value: null, reason: null };

/** The figures of one card or finding. */
export class Figures {
  constructor() {
    /** @type {Map<string, Figure>} */
    this.figures = new Map(Object.entries(FIGURES).map(([name, Special]) => [name, new Special()]));
    this.element = h("div", { class: "figures" }, ...[...this.figures.values()].map(({ element }) => element));
  }

  /**
   * @param {{ scores?: Object<string, DetectorScore>, evidence?: Object<string, unknown> }} message a state, which has the
   * evidence in its scores, or a finding, which has it beside them
   */
  show({ scores = {}, evidence = {} }) {
    for (const name of new Set([...Object.keys(scores), ...Object.keys(evidence)])) {
      const score = scores[name] ?? NO_SCORE;
      this.of(name).show(evidence[name] ?? score.evidence, score);
    }
  }

  /**
   * @param {string} name of a detector
   * @returns {Figure}
   */
  of(name) {
    const figure = this.figures.get(name);
    if (figure) return figure;
    const table = new EvidenceTable(name);
    this.figures.set(name, table);
    this.element.append(table.element);
    return table;
  }
}
