/**
 * The findings, newest episode first: one row per id, opened, updated and closed by messages that may arrive twice or out
 * of order (delivery is at least once, and REST runs beside the socket): a row is always what its messages say in order.
 */

import { Curve, findCurve } from "./curve.js";
import { h, pairs, write } from "./dom.js";
import { icon } from "./icons.js";
import { Likeness, findLikeness } from "./likeness.js";
import { Movement, findMovement } from "./movement.js";
import { clock, detectorWord, lasted, phrase, scoreWords } from "./words.js";

/** @typedef {import("./types.js").FindingMessage} FindingMessage */

const MOST_ROWS = 300;
const MOST_STEPS = 12;
/** @type {Object<string, string>} */
const ACTIONS = { opened: "Opened", updated: "Goes on", closed: "Closed" };

/** One episode. */
class Row {
  /** @param {FindingMessage} message any of its messages */
  constructor(message) {
    /** @type {FindingMessage[]} in the order of their sequence numbers, at least one once the row is used */
    this.messages = [message];
    this.curve = new Curve();
    this.likeness = new Likeness();
    this.movement = new Movement();
    this.status = h("span", { class: "status" });
    this.title = h("span", { class: "title" });
    this.time = h("span", { class: "time" });
    this.detail = h("p", { class: "detail" });
    this.scores = h("dl", { class: "scores" });
    this.steps = h("ol", { class: "steps", "aria-label": "What happened" });
    const who = h("span", { class: "who" }, h("b", {}, message.participant), ` in ${message.call}`);
    const summary = h("summary", {}, this.status, this.title, who, this.time);
    const id = h("p", { class: "id" }, "Finding ", h("code", {}, message.id));
    const body = h("div", { class: "body" }, this.detail, this.likeness.element, this.movement.element, this.curve.element, this.scores, this.steps, id);
    this.element = h("li", {}, h("details", { class: "finding", "data-id": message.id }, summary, body));
    this.show();
  }

  /** @returns {FindingMessage} */
  get first() {
    return this.messages[0];
  }

  /** @returns {FindingMessage} */
  get last() {
    return this.messages[this.messages.length - 1];
  }

  get isOpen() {
    return this.last.action !== "closed";
  }

  /** @param {FindingMessage} message */
  apply(message) {
    if (this.messages.some(({ seq }) => seq === message.seq)) return;
    this.messages = [...this.messages, message].sort((a, b) => a.seq - b.seq);
    // The first stays: it says when and why the episode began.
    if (this.messages.length > MOST_STEPS) this.messages.splice(1, 1);
    this.show();
  }

  show() {
    const suspicious = this.messages.filter(({ action }) => action !== "closed");
    const told = suspicious.at(-1) ?? this.last;
    const { title, detail } = phrase("alert", suspicious[0]?.reason);
    this.element.dataset.action = this.last.action;
    this.status.className = `status ${this.isOpen ? "alert" : "closed"}`;
    this.status.replaceChildren(icon(this.isOpen ? "alert" : "inconclusive"), this.isOpen ? "Open" : "Closed");
    write(this.title, title);
    write(this.detail, detail);
    this.score(told);
    this.curve.show(findCurve(told));
    this.likeness.show(findLikeness(told));
    this.movement.show(findMovement(told));
    this.steps.replaceChildren(...this.messages.map((message) => this.step(message)));
  }

  /** @param {FindingMessage} message */
  score({ scores, identity }) {
    /** @type {Array<[string, string]>} */
    const words = Object.entries(scores ?? {}).map(([name, score]) => [detectorWord(name), scoreWords(score)]);
    pairs(this.scores, identity ? [["Claimed identity", identity], ...words] : words);
  }

  /** @param {FindingMessage} message */
  step({ time, action, verdict, reason }) {
    const why = action === "closed" && reason !== this.first.reason ? `: ${phrase(verdict, reason).title.toLowerCase()}` : "";
    return h("li", {}, h("time", { datetime: time }, clock(time)), ` ${ACTIONS[action] ?? action}${why}`);
  }

  /** @param {number} now milliseconds on the sidecar's clock */
  tick(now) {
    const length = lasted(this.first.time, this.isOpen ? now : this.last.time);
    write(this.time, this.isOpen ? `since ${clock(this.first.time)}, ${length}` : `${clock(this.first.time)}, lasted ${length}`);
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
    const known = this.rows.get(message.id);
    const row = known ?? new Row(message);
    const began = row.first.seq;
    row.apply(message);
    if (!known || row.first.seq < began) this.place(row);
    row.tick(now);
    this.trim();
    this.empty.hidden = true;
  }

  /** @param {Row} row */
  place(row) {
    this.rows.set(row.first.id, row);
    const older = [...this.rows.values()].filter(({ first }) => first.seq < row.first.seq);
    const [next] = older.sort((a, b) => b.first.seq - a.first.seq);
    this.list.insertBefore(row.element, next?.element ?? null);
  }

  trim() {
    if (this.rows.size <= MOST_ROWS) return;
    const ended = [...this.rows.values()].filter(({ isOpen }) => !isOpen).sort((a, b) => a.first.seq - b.first.seq);
    if (ended.length) this.remove(ended[0]);
  }

  /** Forgets everything: what comes next is another journal's, or the first picture. */
  clear() {
    for (const row of [...this.rows.values()]) this.remove(row);
    this.empty.hidden = false;
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
