/**
 * The findings, newest episode first: one row per id, opened, updated and closed by messages that may arrive twice or out
 * of order (delivery is at least once, and REST runs beside the socket): a row is always what its messages say in order.
 */

import { h, pairs, write } from "./dom.js";
import { Figures } from "./figures.js";
import { clock, duration } from "./format.js";
import { icon } from "./icons.js";
import { besideWords, claimed, phrase, scoreLines } from "./words.js";

/** @typedef {import("./types.js").FindingMessage} FindingMessage */

const MAX_ROWS = 300;
const MAX_STEPS = 12;
/** @type {Object<string, string>} */
const ACTIONS = { opened: "Opened", updated: "Goes on", closed: "Closed" };

/** One episode. */
class Row {
  /**
   * @param {FindingMessage} message any of its messages
   * @param {boolean} scores whether more than words is shown
   */
  constructor(message, scores) {
    this.shows = scores;
    /** @type {[FindingMessage, ...FindingMessage[]]} in the order of their sequence numbers */
    this.messages = [message];
    this.figures = new Figures();
    this.status = h("span", { class: "status" });
    this.title = h("span", { class: "title" });
    this.time = h("span", { class: "time" });
    this.detail = h("p", { class: "detail" });
    this.scores = h("dl", { class: "scores" });
    this.steps = h("ol", { class: "steps", "aria-label": "What happened" });
    const who = h("span", { class: "who" }, h("b", {}, message.participant), ` in ${message.call}`);
    const summary = h("summary", {}, this.status, this.title, who, this.time);
    const page = h("a", { href: `finding?id=${encodeURIComponent(message.id)}` }, "Work on it");
    const id = h(
      "p",
      { class: "id" },
      "Finding ",
      h("code", {}, message.id),
      scores ? ". " : null,
      scores ? page : null,
    );
    const numbers = scores ? [this.figures.element, this.scores] : [];
    const body = h("div", { class: "body" }, this.detail, ...numbers, this.steps, id);
    this.element = h("li", {}, h("details", { class: "finding", "data-id": message.id }, summary, body));
    this.show();
  }

  /** @returns {FindingMessage} */
  get first() {
    return this.messages[0];
  }

  /** @returns {FindingMessage} */
  get last() {
    return this.messages.at(-1) ?? this.first;
  }

  get isOpen() {
    return this.last.action !== "closed";
  }

  /** @param {FindingMessage} message */
  apply(message) {
    if (this.messages.some(({ seq }) => seq === message.seq)) return;
    this.messages.push(message);
    this.messages.sort((a, b) => a.seq - b.seq);
    // The first stays: it says when and why the episode began.
    if (this.messages.length > MAX_STEPS) this.messages.splice(1, 1);
    this.show();
  }

  show() {
    // Who left may come back: until then what they were last suspected of stands there.
    const suspicious = this.messages.filter(({ action, verdict }) => action !== "closed" && verdict !== "inconclusive");
    const newest = suspicious.at(-1) ?? this.last;
    const { title, detail } = phrase("alert", suspicious[0]?.reason);
    this.element.dataset.action = this.last.action;
    this.status.className = `status ${this.isOpen ? "alert" : "closed"}`;
    this.status.replaceChildren(icon(this.isOpen ? "alert" : "inconclusive"), this.isOpen ? "Open" : "Closed");
    write(this.title, title);
    write(this.detail, `${detail} ${besideWords(Object.values(newest.evidence ?? {}))}`.trim());
    if (this.shows) this.showScores(newest);
    this.steps.replaceChildren(...this.messages.map((message) => this.step(message)));
  }

  /** @param {FindingMessage} message */
  showScores(message) {
    const { scores, identity, claim } = message;
    const lines = scoreLines(scores);
    pairs(this.scores, identity ? [["claimed identity", claimed(identity, claim)], ...lines] : lines);
    this.figures.show(message);
  }

  /** @param {FindingMessage} message */
  step({ time, action, verdict, reason }) {
    const waits = action === "updated" && verdict === "inconclusive";
    const says = (action === "closed" || waits) && reason !== this.first.reason;
    const why = says ? `: ${phrase(verdict, reason).title.toLowerCase()}` : "";
    const what = waits ? "Waits" : (ACTIONS[action] ?? action);
    return h("li", {}, h("time", { datetime: time }, clock(time)), ` ${what}${why}`);
  }

  /** @param {number} now milliseconds on the sidecar's clock */
  tick(now) {
    const length = duration(this.first.time, this.isOpen ? now : this.last.time);
    write(
      this.time,
      this.isOpen ? `since ${clock(this.first.time)}, ${length}` : `${clock(this.first.time)}, lasted ${length}`,
    );
  }
}

/** The list. */
export class FindingList {
  /**
   * @param {HTMLElement} list an `ol`
   * @param {HTMLElement} empty what stands in its place while there is none
   * @param {boolean} [scores] whether rows show more than words
   */
  constructor(list, empty, scores = true) {
    this.scores = scores;
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
    const isNew = !this.rows.has(message.id);
    const row = this.rows.get(message.id) ?? new Row(message, this.scores);
    const began = row.first.seq;
    row.apply(message);
    if (isNew || row.first.seq < began) this.place(row);
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
    if (this.rows.size <= MAX_ROWS) return;
    const closed = [...this.rows.values()].filter(({ isOpen }) => !isOpen);
    const [oldest] = closed.sort((a, b) => a.first.seq - b.first.seq);
    if (oldest) this.remove(oldest);
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
