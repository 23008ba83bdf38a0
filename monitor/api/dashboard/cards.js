/**
 * Calls and their participants as cards. A card is built once and then only rewritten, so focus, open details and a screen
 * reader's place survive every update; participants who left stay a little while, marked as such.
 */

import { h, pairs, write } from "./dom.js";
import { Register } from "./enrolment_status.js";
import { Figures } from "./figures.js";
import { clock, coverageWords, qualityWords, round } from "./format.js";
import { icon } from "./icons.js";
import { Strip } from "./strip.js";
import { aspectLines, besideWords, claimed, detectorWords, phrase, scoreLines, verdictLabel } from "./words.js";

/** @typedef {import("./types.js").ParticipantState} ParticipantState */
/** @typedef {{ element: HTMLElement, grid: HTMLElement, count: HTMLElement, cards: Map<string, Card> }} Call */

const ENDINGS = ["ended", "media_ended", "no_ice_answer", "dtls_failed", "consent_expired"];
const OUTDATED = "reference_outdated";
const STALE_AFTER_MS = 4_000;
const REMOVED_AFTER_MS = 30_000;

/**
 * Whether a state is the last one of its participant.
 * @param {string} reason
 */
export const hasLeft = (reason) => ENDINGS.includes(reason);

/** One participant. */
export class Card {
  /**
   * @param {string} participant
   * @param {boolean} [scores] whether more than words is shown
   */
  constructor(participant, scores = true) {
    this.verdict = "";
    this.shows = scores;
    this.heardAt = 0;
    this.leftAt = 0;
    this.strip = new Strip();
    this.figures = new Figures();
    /** @type {string | null | undefined} undefined while the claim is not known */
    this.identity = undefined;
    /** @type {string | null | undefined} by what it is claimed */
    this.ground = undefined;
    this.outdated = false;
    this.watched = true;
    this.claim = h("p", { class: "claim" });
    this.resembles = h("p", { class: "resembles", hidden: true });
    this.enrolment = h("p", { class: "enrolment", hidden: true });
    this.pill = h("span", { class: "pill" });
    this.title = h("p", { class: "title" });
    this.detail = h("p", { class: "detail" });
    this.contrast = h("p", { class: "contrast", hidden: true });
    this.aspects = h("dl", { class: "aspects" });
    this.evidence = h("span", { class: "evidence" });
    this.level = h("span");
    this.coverage = h("p", { class: "coverage" });
    this.quality = h("dl", { class: "quality" });
    this.scores = h("dl", { class: "scores" });
    this.element = h(
      "article",
      { class: "card", "aria-label": participant },
      h("header", {}, h("div", {}, h("h3", {}, participant), this.claim, this.resembles, this.enrolment), this.pill),
      h("div", { class: "says" }, this.title, this.detail, this.contrast),
      this.aspects,
      ...(scores ? [this.curve()] : []),
      this.coverage,
      this.quality,
      ...(scores ? [this.more()] : []),
    );
  }

  curve() {
    const caption = h("figcaption", { class: "spread" }, this.evidence, "last 2 min", this.level);
    return h("figure", {}, this.strip.element, caption);
  }

  more() {
    const summary = h("summary", {}, "Scores and evidence");
    return h("details", { class: "more" }, summary, this.scores, this.figures.element);
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
    if (changed) this.showVerdict(state);
    // A state message does not repeat the claim; only the sidecar's list says it.
    if (state.identity !== undefined) this.identity = state.identity;
    if (state.claim !== undefined) this.ground = state.claim;
    if (this.identity !== undefined) {
      write(this.claim, this.identity ? `claims to be ${claimed(this.identity, this.ground)}` : "claims no identity");
    }
    if (state.resembles !== undefined) this.showSuspicions(state);
    if (state.coverage) {
      this.watched = state.coverage.watched;
      write(this.coverage, coverageWords(state.coverage));
    }
    write(this.title, title);
    write(this.detail, detail);
    const contrast = besideWords(Object.values(state.scores ?? {}).map(({ evidence }) => evidence));
    this.contrast.hidden = !contrast;
    write(this.contrast, contrast);
    pairs(this.aspects, aspectLines(state.scores));
    pairs(this.quality, qualityWords(state.quality));
    if (this.shows) this.showScores(state);
    this.outdated = isOutdated(state, this.outdated);
    delete this.element.dataset.left;
    if (state.reason && hasLeft(state.reason)) this.leave(now, state.reason);
    return changed;
  }

  /** @param {ParticipantState} state */
  showSuspicions(state) {
    const suspected = suspicions(state);
    this.resembles.hidden = !suspected.length;
    write(this.resembles, suspected.join("; "));
  }

  /** @param {Register} register */
  showEnrolment(register) {
    const { kind, text } = register.status(this.identity, this.outdated);
    this.enrolment.hidden = !text;
    this.enrolment.dataset.kind = kind;
    write(this.enrolment, text);
  }

  /** @param {ParticipantState} state */
  showVerdict(state) {
    this.verdict = state.verdict;
    this.element.dataset.verdict = state.verdict;
    this.pill.className = `pill ${state.verdict}`;
    this.pill.title = `since ${clock(state.since ?? state.time ?? "")}`;
    this.pill.replaceChildren(icon(state.verdict), verdictLabel(state.verdict));
  }

  /** @param {ParticipantState} state */
  showScores(state) {
    this.showEvidence(state);
    pairs(this.scores, scoreLines(state.scores));
    this.figures.show({ scores: state.scores });
  }

  /** @param {ParticipantState} state */
  showEvidence({ time, verdict, statistic, threshold }) {
    if (typeof statistic !== "number" || typeof threshold !== "number") {
      write(this.evidence, "No evidence");
      return;
    }
    if (time) this.strip.push({ at: new Date(time).getTime() / 1000, statistic, verdict }, threshold);
    write(this.evidence, `Evidence ${round(statistic)}`);
    write(this.level, `alert at ${round(threshold)}`);
  }

  /**
   * @param {number} now
   * @param {string} [reason] of the last state
   */
  leave(now, reason = "ended") {
    this.leftAt ||= now;
    this.element.dataset.left = "";
    const { title, detail } = phrase("inconclusive", reason);
    write(this.title, title);
    write(this.detail, detail);
  }

  /** @param {number} now */
  isStale(now) {
    return now - this.heardAt > STALE_AFTER_MS;
  }
}

/**
 * What is peculiar about who somebody says they are.
 * @param {ParticipantState} state
 */
function suspicions({ resembles, continues, in_doubt: doubt = [] }) {
  return [
    doubt.length ? `may be ${doubt.join(" or ")} by name: not compared` : "",
    resembles ? `has a name like that of ${resembles}` : "",
    continues ? `same face as ${continues}, who left` : "",
  ].filter(Boolean);
}

/**
 * Whether the reference of the claimed identity was made by other encoders. Only detectors that compare with it know;
 * while all of them abstain for another reason, what they said last still holds.
 * @param {ParticipantState} state
 * @param {boolean} before
 */
function isOutdated({ scores = {} }, before) {
  const compared = Object.entries(scores).filter(([name]) => detectorWords(name).needsIdentity);
  if (!compared.length) return before;
  if (compared.some(([, { reason }]) => reason === OUTDATED)) return true;
  return before && compared.every(([, { score }]) => score === null);
}

/** All calls; dispatches `verdict` with the state whose verdict changed and `joined` with that of a new participant. */
export class Board extends EventTarget {
  /**
   * @param {HTMLElement} element
   * @param {boolean} [scores] whether cards show more than words
   */
  constructor(element, scores = true) {
    super();
    this.element = element;
    this.scores = scores;
    this.register = new Register();
    /** @type {Map<string, Call>} */
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
    const joined = !call.cards.has(state.participant);
    const card = call.cards.get(state.participant) ?? new Card(state.participant, this.scores);
    if (joined) this.addCard(call, state.participant, card);
    const changed = card.update(state, now);
    card.showEnrolment(this.register);
    write(call.count, participantsWords([...call.cards.values()]));
    if (joined) this.dispatchEvent(new CustomEvent("joined", { detail: state }));
    // Somebody who just came and of whom nothing can be said yet is no news.
    if (!changed || (joined && state.verdict === "inconclusive")) return;
    this.dispatchEvent(new CustomEvent("verdict", { detail: state }));
  }

  /**
   * The sidecar's list: updates who is in it, marks who is not as having left, and lets old cards go.
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
        if (now - card.leftAt > REMOVED_AFTER_MS) this.removeCard(name, participant);
      }
    }
  }

  /** @param {import("./types.js").IdentityInfo[]} identities who is enrolled now */
  showEnrolled(identities) {
    this.register.replace(identities);
    for (const card of this.cards) card.showEnrolment(this.register);
  }

  /** @param {number} [now] whether someone has not been heard of for a while, so that the list should be fetched */
  hasStale(now = Date.now()) {
    return this.cards.some((card) => card.isStale(now));
  }

  /**
   * @param {string} name
   * @returns {Call}
   */
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
   * @param {Call} call
   * @param {string} participant
   * @param {Card} card
   */
  addCard(call, participant, card) {
    call.cards.set(participant, card);
    this.place(call.grid, card.element, participant, [...call.cards.keys()]);
  }

  /**
   * @param {string} name
   * @param {string} participant
   */
  removeCard(name, participant) {
    const call = this.calls.get(name);
    call?.cards.get(participant)?.element.remove();
    call?.cards.delete(participant);
    if (call) write(call.count, participantsWords([...call.cards.values()]));
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

/** @param {Card[]} cards */
function participantsWords(cards) {
  const watched = cards.filter((card) => card.watched).length;
  const count = cards.length === 1 ? "1 participant" : `${cards.length} participants`;
  return watched === cards.length ? count : `${count}, ${watched} watched`;
}
