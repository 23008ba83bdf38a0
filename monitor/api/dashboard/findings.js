/**
 * The findings, newest episode first: one row per id, opened, updated and closed by messages that may arrive twice or out
 * of order (delivery is at least once), so a message older than what a row shows changes nothing.
 */

import { pairs } from "./cards.js";
import { Curve, findCurve } from "./curve.js";
import { h, write } from "./dom.js";
import { icon } from "./icons.js";
import { clock, detectorWord, lasted, phrase, scoreWords } from "./words.js";

/** @typedef {import("./types.js").FindingMessage} FindingMessage */

const MOST_ROWS = 300;
const MOST_STEPS = 12;
/** @type {Object<string, string>} */
const ACTIONS = { opened: "Opened", updated: "Grew stronger", closed: "Closed" };

/** One episode. */
class Row {
  /** @param {FindingMessage} message the first that was seen of it */
  constructor(message) {
    this.first = message;
    this.last = message;
    this.seq = -1;
    this.curve = new Curve();
    this.status = h("span", { class: "status" });
    this.title = h("span", { class: "title" });
    this.time = h("span", { class: "time" });
    this.detail = h("p", { class: "detail" });
    this.scores = h("dl", { class: "scores" });
    this.steps = h("ol", { class: "steps", "aria-label": "What happened" });
    const who = h("span", { class: "who" }, h("b", {}, message.participant), ` in ${message.call}`);
    const summary = h("summary", {}, this.status, this.title, who, this.time);
    const id = h("p", { class: "id" }, "Finding ", h("code", {}, message.id));
    const body = h("div", { class: "body" }, this.detail, this.curve.element, this.scores, this.steps, id);
    this.element = h("li", {}, h("details", { class: "finding", "data-id": message.id }, summary, body));
  }

  /** @param {FindingMessage} message */
  apply(message) {
    if (message.seq <= this.seq) return;
    this.seq = message.seq;
    this.last = message;
    const closed = message.action === "closed";
    const { title, detail } = phrase("alert", this.first.reason);
    this.element.dataset.action = message.action;
    this.status.className = `status ${closed ? "closed" : "alert"}`;
    this.status.replaceChildren(icon(closed ? "inconclusive" : "alert"), closed ? "Closed" : "Open");
    write(this.title, title);
    write(this.detail, detail);
    if (Object.keys(message.scores ?? {}).length && !closed) this.score(message);
    this.curve.show(closed && this.curve.curve ? null : findCurve(message));
    this.addStep(message);
  }

  /** @param {FindingMessage} message */
  score({ scores, identity }) {
    /** @type {Array<[string, string]>} */
    const words = Object.entries(scores).map(([name, score]) => [detectorWord(name), scoreWords(score)]);
    pairs(this.scores, identity ? [["Claimed identity", identity], ...words] : words);
  }

  /** @param {FindingMessage} message */
  addStep({ time, action, verdict, reason }) {
    const why = action === "closed" ? ` · ${phrase(verdict, reason).title}` : "";
    this.steps.append(h("li", {}, h("time", { datetime: time }, clock(time)), ` ${ACTIONS[action] ?? action}${why}`));
    // The first step stays: it says when the episode began.
    if (this.steps.children.length > MOST_STEPS) this.steps.children[1].remove();
  }

  /** @param {number} now milliseconds on the sidecar's clock */
  tick(now) {
    const closed = this.last.action === "closed";
    const length = lasted(this.first.time, closed ? this.last.time : now);
    write(this.time, closed ? `${clock(this.first.time)}, lasted ${length}` : `since ${clock(this.first.time)}, ${length}`);
  }

  get isOpen() {
    return this.last.action !== "closed";
  }
}

/** The list. */
export class FindingList {
  /**
   * @param {HTMLElement} list an `ol`
   * @param {HTMLElement} empty what stands in its place while there is none
   */
  constructor(list, empty) {
    this.list = list;
    this.empty = empty;
    /** @type {Map<string, Row>} */
    this.rows = new Map();
  }

  /** @returns {number} episodes that are open now */
  get open() {
    return [...this.rows.values()].filter((row) => row.isOpen).length;
  }

  /**
   * @param {FindingMessage} message
   * @param {number} now milliseconds on the sidecar's clock
   */
  apply(message, now) {
    let row = this.rows.get(message.id);
    if (!row) {
      row = new Row(message);
      this.rows.set(message.id, row);
      this.insert(row);
    }
    row.apply(message);
    row.tick(now);
    this.empty.hidden = true;
  }

  /** @param {Row} row */
  insert(row) {
    const older = [...this.rows.values()].filter(({ first }) => first.seq < row.first.seq).sort((a, b) => b.first.seq - a.first.seq);
    this.list.insertBefore(row.element, older[0]?.element ?? null);
    if (this.rows.size <= MOST_ROWS) return;
    const [oldest] = [...this.rows.values()].filter(({ isOpen }) => !isOpen).sort((a, b) => a.first.seq - b.first.seq);
    if (oldest) this.remove(oldest);
  }

  /** @param {Row} row */
  remove(row) {
    row.element.remove();
    this.rows.delete(row.first.id);
  }

  /** @param {number} now milliseconds on the sidecar's clock */
  tick(now) {
    for (const row of this.rows.values()) row.tick(now);
  }
}
