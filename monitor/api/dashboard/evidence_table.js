/** The score and the evidence of a detector that this page has no picture for: plain JSON as a small table. */

import { h, write } from "./dom.js";
import { rarity, readable } from "./format.js";
import { detectorWords, scoreWords } from "./words.js";

/** @typedef {import("./types.js").DetectorScore} DetectorScore */

const MAX_ROWS = 24;
const MAX_LISTED = 6;
const MAX_TEXT_CHARACTERS = 200;
const MAX_DEPTH = 3;

/**
 * @param {unknown} value a JSON value that holds no others
 * @returns {string}
 */
function scalar(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return String(Number(value.toPrecision(4)));
  if (typeof value === "boolean") return value ? "yes" : "no";
  const text = String(value);
  return text.length > MAX_TEXT_CHARACTERS ? `${text.slice(0, MAX_TEXT_CHARACTERS)}…` : text;
}

/**
 * @param {unknown[]} values
 * @returns {string}
 */
function list(values) {
  const flat = values.every((value) => value === null || typeof value !== "object");
  if (flat && values.length <= MAX_LISTED) return values.map(scalar).join(", ");
  return values.length === 1 ? "1 entry" : `${values.length} entries`;
}

/**
 * @param {unknown} evidence any JSON value
 * @param {string} [name] what it is called, empty for the whole
 * @param {number} [depth]
 * @returns {Array<[string, string]>} name and value; the names of parts follow that of the whole
 */
export function flatten(evidence, name = "", depth = 0) {
  if (Array.isArray(evidence)) return [[name, list(evidence)]];
  if (typeof evidence !== "object" || evidence === null) return name ? [[name, scalar(evidence)]] : [];
  const parts = Object.entries(evidence);
  if (depth === MAX_DEPTH) return [[name, list(parts)]];
  return parts.flatMap(([part, value]) => {
    const words = readable(part);
    return flatten(value, name ? `${name}: ${words.toLowerCase()}` : words, depth + 1);
  });
}

/**
 * @param {DetectorScore} score
 * @param {unknown} evidence
 * @returns {Array<[string, string]>}
 */
export function rows(score, evidence) {
  /** @type {Array<[string, string]>} */
  const found = [["Score", typeof score.score === "number" ? scalar(score.score) : "none"]];
  if (typeof score.p_value === "number") found.push(["p-value", `${scalar(score.p_value)}, ${rarity(score.p_value)}`]);
  if (score.reason) found.push(["Reason", scoreWords(score)]);
  const parts = flatten(evidence);
  found.push(...parts.slice(0, MAX_ROWS));
  if (parts.length > MAX_ROWS) found.push(["Not shown", `${parts.length - MAX_ROWS} more`]);
  return found;
}

/** The table under the detector's label and question. */
export class EvidenceTable {
  /** @param {string} name of a detector */
  constructor(name) {
    this.name = name;
    this.title = h("figcaption", { class: "figure-title" });
    this.body = h("tbody");
    this.element = h(
      "figure",
      { class: "evidence-table", hidden: true, "data-detector": name },
      this.title,
      h("table", {}, this.body),
    );
  }

  /**
   * @param {unknown} evidence
   * @param {DetectorScore} score
   */
  show(evidence, score) {
    const { label, question } = detectorWords(this.name);
    write(this.title, question ? `${label}: ${question}` : label);
    const lines = rows(score, evidence);
    if (this.body.rows.length !== lines.length) {
      this.body.replaceChildren(...lines.map(() => h("tr", {}, h("th", { scope: "row" }), h("td"))));
    }
    lines.forEach(([term, value], index) => {
      const [heading, cell] = this.body.rows[index]?.cells ?? [];
      if (heading) write(heading, term);
      if (cell) write(cell, value);
    });
    this.element.hidden = false;
  }
}
