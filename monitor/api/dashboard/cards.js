/**
 * Calls and their participants as cards. A card is built once and then only rewritten, so focus, open details and a screen
 * reader's place survive every update; participants who left stay a little while, marked as such.
 */

import { Curve, findCurve } from "./curve.js";
import { h, pairs, write } from "./dom.js";
import { Register } from "./enrolled.js";
import { icon } from "./icons.js";
import { Likeness, findLikeness } from "./likeness.js";
import { Movement, findMovement } from "./movement.js";
import { Strip } from "./strip.js";
import { clock, detectorWord, phrase, qualityWords, round, scoreWords, verdictWord } from "./words.js";

/** @typedef {import("./types.js").ParticipantState} ParticipantState */

const ENDED = "ended";
const OUTDATED = "reference_outdated";
const STALE_AFTER = 4_000;
const KEPT_AFTER_LEAVING = 30_000;

/** One participant. */
export class Card {
  /** @param {string} participant */
  constructor(participant) {
    this.verdict = "";
    this.heardAt = 0;
    this.leftAt = 0;
    this.strip = new Strip();
    this.curve = new Curve();
    this.likeness = new Likeness();
    this.movement = new Movement();
    /** @type {string | null | undefined} undefined while the claim is not known */
    this.identity = undefined;
    this.outdated = false;
    this.claim = h("p", { class: "claim" });
    this.enrolment = h("p", { class: "enrolment", hidden: true });
    this.pill = h("span", { class: "pill" });
    this.title = h("p", { class: "title" });
    this.detail = h("p", { class: "detail" });
    this.evidence = h("span", { class: "evidence" });
    this.level = h("span");
    this.quality = h("dl", { class: "quality" });
    this.scores = h("dl", { class: "scores" });
    this.element = h(
      "article",
      { class: "card", "aria-label": participant },
      h("header", {}, h("div", {}, h("h3", {}, participant), this.claim, this.enrolment), this.pill),
      h("div", { class: "says" }, this.title, this.detail),
      h("figure", {}, this.strip.element, h("figcaption", { class: "spread" }, this.evidence, "last 2 min", this.level)),
      this.quality,
      h("details", { class: "more" }, h("summary", {}, "Scores and evidence"), this.scores, this.likeness.element, this.movement.element, this.curve.element),
    );
  }

  /**
   * @param {ParticipantState} state
   * @param {number} now the page's clock, milliseconds
   * @returns {boolean} whether the verdict changed
   */
  update(state, now) {
    const changed = state.verdict !== this.verdict;
    const { title, detail } = phrase(state.verdict, state.reason);
    this.heardAt = now;
    this.leftAt = 0;
    if (changed) this.judge(state);
    // A state message does not repeat the claim; only the sidecar's list says it.
    if (state.identity !== undefined) this.identity = state.identity;
    if (this.identity !== undefined) write(this.claim, this.identity ? `claims to be ${this.identity}` : "claims no identity");
    write(this.title, title);
    write(this.detail, detail);
    this.measure(state);
    pairs(this.quality, qualityWords(state.quality));
    pairs(this.scores, Object.entries(state.scores ?? {}).map(([name, score]) => [detectorWord(name), scoreWords(score)]));
    this.curve.show(findCurve(state));
    this.likeness.show(findLikeness(state));
    this.movement.show(findMovement(state));
    // Only the comparisons know; while both abstain for another reason, what they said last still holds.
    const compared = [state.scores?.pairwise, state.scores?.persona].filter((score) => score !== undefined);
    const told = compared.some(({ reason }) => reason === OUTDATED);
    if (compared.length) this.outdated = told || (this.outdated && compared.every(({ score }) => score === null));
    delete this.element.dataset.left;
    if (state.reason === ENDED) this.leave(now);
    return changed;
  }

  /** @param {Register} register */
  stand(register) {
    const { kind, text } = register.standing(this.identity, this.outdated) ?? { kind: "none", text: "" };
    this.enrolment.hidden = !text;
    this.enrolment.dataset.kind = kind;
    write(this.enrolment, text);
  }

  /** @param {ParticipantState} state */
  judge(state) {
    this.verdict = state.verdict;
    this.element.dataset.verdict = state.verdict;
    this.pill.className = `pill ${state.verdict}`;
    this.pill.title = `since ${clock(state.since ?? state.time ?? "")}`;
    this.pill.replaceChildren(icon(state.verdict), verdictWord(state.verdict));
  }

  /** @param {ParticipantState} state */
  measure({ time, verdict, statistic, threshold }) {
    if (typeof statistic !== "number" || typeof threshold !== "number") return write(this.evidence, "No evidence");
    if (time) this.strip.push({ at: new Date(time).getTime() / 1000, statistic, verdict }, threshold);
    write(this.evidence, `Evidence ${round(statistic)}`);
    return write(this.level, `alert at ${round(threshold)}`);
  }

  /** @param {number} now */
  leave(now) {
    this.leftAt ||= now;
    this.element.dataset.left = "";
    const { title, detail } = phrase("inconclusive", ENDED);
    write(this.title, title);
    write(this.detail, detail);
  }

  /** @param {number} now */
  isStale(now) {
    return now - this.heardAt > STALE_AFTER;
  }
}

/** All calls; dispatches `verdict` with the state whose verdict changed and `joined` with that of a new participant. */
export class Board extends EventTarget {
  /** @param {HTMLElement} element */
  constructor(element) {
    super();
    this.element = element;
    this.register = new Register();
    /** @type {Map<string, { element: HTMLElement, grid: HTMLElement, count: HTMLElement, cards: Map<string, Card> }>} */
    this.calls = new Map();
  }

  /** @returns {Card[]} */
  get cards() {
    return [...this.calls.values()].flatMap(({ cards }) => [...cards.values()]);
  }

  /**
   * @param {ParticipantState} state
   * @param {number} [now]
   */
  update(state, now = Date.now()) {
    const call = this.calls.get(state.call) ?? this.addCall(state.call);
    const known = call.cards.get(state.participant);
    const card = known ?? new Card(state.participant);
    if (!known) this.addCard(call, state.participant, card);
    const changed = card.update(state, now);
    card.stand(this.register);
    if (!known) this.dispatchEvent(new CustomEvent("joined", { detail: state }));
    // Somebody who just came and of whom nothing is known yet is no news.
    if (changed && (known || state.verdict !== "inconclusive")) this.dispatchEvent(new CustomEvent("verdict", { detail: state }));
  }

  /**
   * The sidecar's own list: updates who is in it, marks who is not as having left, and lets old cards go.
   * @param {ParticipantState[]} participants
   * @param {number} [now]
   */
  sync(participants, now = Date.now()) {
    const present = new Set(participants.map(({ call, participant }) => JSON.stringify([call, participant])));
    for (const state of participants) this.update(state, now);
    for (const [name, call] of this.calls) {
      for (const [participant, card] of call.cards) {
        // Whoever came while the list was on its way is not in it, and has not left.
        if (present.has(JSON.stringify([name, participant])) || !card.isStale(now)) continue;
        card.leave(now);
        if (now - card.leftAt > KEPT_AFTER_LEAVING) this.removeCard(name, participant);
      }
    }
  }

  /** @param {import("./types.js").IdentityInfo[]} identities who is enrolled now */
  enrolled(identities) {
    this.register.take(identities);
    for (const card of this.cards) card.stand(this.register);
  }

  /** @param {number} [now] whether someone has not been heard of for a while, so that the list should be fetched */
  hasStale(now = Date.now()) {
    return this.cards.some((card) => card.isStale(now));
  }

  /** @param {string} name */
  addCall(name) {
    const count = h("span", { class: "count" });
    const grid = h("div", { class: "grid" });
    const element = h("section", { class: "call", "aria-label": `Call ${name}` }, h("h2", {}, name, count), grid);
    const call = { element, grid, count, cards: new Map() };
    this.calls.set(name, call);
    this.place(this.element, element, name, [...this.calls.keys()]);
    return call;
  }

  /**
   * @param {{ grid: HTMLElement, count: HTMLElement, cards: Map<string, Card> }} call
   * @param {string} participant
   * @param {Card} card
   */
  addCard(call, participant, card) {
    call.cards.set(participant, card);
    this.place(call.grid, card.element, participant, [...call.cards.keys()]);
    write(call.count, people(call.cards.size));
  }

  /**
   * @param {string} name
   * @param {string} participant
   */
  removeCard(name, participant) {
    const call = this.calls.get(name);
    call?.cards.get(participant)?.element.remove();
    call?.cards.delete(participant);
    if (call) write(call.count, people(call.cards.size));
    if (call?.cards.size !== 0) return;
    call.element.remove();
    this.calls.delete(name);
  }

  /**
   * Inserts in the order of names, so that a card never moves while somebody reads it.
   * @param {HTMLElement} parent
   * @param {HTMLElement} child
   * @param {string} name
   * @param {string[]} names
   */
  place(parent, child, name, names) {
    const index = names.sort((a, b) => a.localeCompare(b)).indexOf(name);
    parent.insertBefore(child, parent.children[index] ?? null);
  }
}

/** @param {number} count */
function people(count) {
  return count === 1 ? "1 participant" : `${count} participants`;
}
