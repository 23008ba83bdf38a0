/** The case beside a finding: where it stands, what was done, and the ways to do more. */

import { LABELS, eventWords } from "./case_words.js";
import { byId, h, pairs, write } from "./dom.js";
import { clock, readable } from "./format.js";

/** @typedef {import("./types.js").WholeFinding} WholeFinding */
/** @typedef {import("./types.js").EventOrder} EventOrder */
/** @typedef {(order: EventOrder) => Promise<boolean>} Recorder whether it was written */
/** @typedef {(text: string) => Promise<boolean>} Writer */

/** The panel; buttons and forms become orders. */
export class CasePanel {
  /** @param {Recorder} record */
  constructor(record) {
    this.record = record;
    this.subject = "";
    /** @type {WholeFinding | null} */
    this.whole = null;
    this.click("acknowledge", () => this.record({ event: "acknowledged" }));
    this.click("assign-me", () => this.record({ event: "assigned", to: this.subject }));
    for (const label of /** @type {const} */ (["true", "false", "unsure"])) {
      this.click(`label-${label}`, () => this.record({ event: "labelled", label }));
    }
    this.submit("assign", "assignee", (to) => this.record({ event: "assigned", to: to || null }));
    this.submit("note", "note-text", (text) => this.record({ event: "noted", text }));
  }

  /** @param {import("./types.js").Bearer} bearer whose token it is */
  use({ subject, permissions }) {
    this.subject = subject;
    const mayWork = permissions.includes("cases");
    byId("work").hidden = !mayWork;
    byId("read-only").hidden = mayWork;
  }

  /** @param {WholeFinding} whole */
  show(whole) {
    this.whole = whole;
    const { case: now, events } = whole;
    const label = now.label ? (LABELS[now.label] ?? now.label) : "not labelled";
    pairs(byId("case"), [
      ["Stands", readable(now.state)],
      ["Label", now.labelled_by ? `${label}, by ${now.labelled_by}` : label],
      ["Assigned to", now.assignee ?? "nobody"],
    ]);
    /** @type {HTMLButtonElement} */ (byId("acknowledge")).disabled = now.state !== "open";
    for (const name of ["true", "false", "unsure"]) {
      byId(`label-${name}`).setAttribute("aria-pressed", String(now.label === name));
    }
    const waits = asked(whole);
    byId("asked").hidden = !waits.length;
    byId("asked").replaceChildren(...waits);
    byId("no-events").hidden = events.length > 0;
    const actions = Object.fromEntries(now.actions.map((one) => [one.id, one.action]));
    byId("events").replaceChildren(...events.map((event) => line(event, actions)));
    write(byId("announcer"), `The case is ${now.state}.`);
  }

  /**
   * Presses a button of the panel, where it can be pressed.
   * @param {string} id
   */
  press(id) {
    if (!byId("work").hidden) byId(id).click();
  }

  /**
   * @param {string} id
   * @param {() => void} act
   */
  click(id, act) {
    byId(id).addEventListener("click", act);
  }

  /**
   * @param {string} form
   * @param {string} field
   * @param {Writer} writeDown
   */
  submit(form, field, writeDown) {
    const input = /** @type {HTMLInputElement | HTMLTextAreaElement} */ (byId(field));
    byId(form).addEventListener("submit", async (event) => {
      event.preventDefault();
      // What could not be written stays in its field.
      if (await writeDown(input.value.trim())) input.value = "";
    });
  }
}

/**
 * Links to the pages on which what waits for somebody's word is answered.
 * @param {WholeFinding} whole
 */
function asked({ id, case: { actions, challenges } }) {
  const open = new Set(challenges.filter(({ outcome }) => outcome === null).map((one) => one.id));
  const waits = actions.filter((one) => (one.details.confirm ? one.state === "proposed" : open.has(one.id)));
  return waits.map((one) =>
    h("a", { class: "button", href: `action#${id}/${one.id}` }, `Answer: ${readable(one.action).toLowerCase()}`),
  );
}

/**
 * @param {import("./types.js").CaseEvent} event
 * @param {Object<string, string>} actions what they are called, by their id
 */
function line(event, actions) {
  const { time, actor, details } = event;
  const text = typeof details.text === "string" ? h("span", { class: "text" }, `: ${details.text}`) : null;
  const who = h("span", { class: "who" }, actor);
  return h("li", {}, h("time", { datetime: time }, clock(time)), " ", who, ` ${eventWords(event, actions)}`, text);
}
