/** Everybody who is enrolled, since when and under whose consent, with what can be done about it. */

import { h, pairs, write } from "./dom.js";
import { enrolmentStatus } from "./enrolment_status.js";
import { day } from "./format.js";

/** @typedef {import("./types.js").IdentityInfo} IdentityInfo */
/** @typedef {"approve" | "reject" | "erase"} Act */

/** @type {Array<[Act, string]>} */
const ACTS = [
  ["approve", "Approve"],
  ["reject", "Reject"],
  ["erase", "Erase"],
];

/** The list; dispatches `act` with { name, act }. */
export class People extends EventTarget {
  /**
   * @param {HTMLElement} list an `ol`
   * @param {HTMLElement} empty what stands in its place while nobody is enrolled
   */
  constructor(list, empty) {
    super();
    this.list = list;
    this.empty = empty;
  }

  /** @param {IdentityInfo[]} identities */
  show(identities) {
    this.empty.hidden = identities.length > 0;
    this.list.replaceChildren(...identities.map((info) => this.row(info)));
  }

  /** @param {IdentityInfo} info */
  row(info) {
    const { kind, text } = enrolmentStatus(info.name, info, false);
    const facts = h("dl", { class: "scores" });
    pairs(facts, described(info));
    const waits = info.pending !== null || info.state === "pending_approval";
    const buttons = ACTS.filter(([act]) => act === "erase" || waits).map(([act, word]) =>
      this.button(info.name, act, word),
    );
    return h(
      "li",
      { class: "card person", "data-name": info.name },
      h("header", {}, h("div", {}, h("h3", {}, info.name), h("p", { class: "enrolment", "data-kind": kind }, text))),
      facts,
      h("div", { class: "controls" }, ...buttons),
    );
  }

  /**
   * @param {string} name
   * @param {Act} act
   * @param {string} word
   */
  button(name, act, word) {
    const button = h(
      "button",
      { class: "button small", type: "button", "data-act": act, "aria-label": `${word} ${name}` },
      word,
    );
    button.addEventListener("click", () => this.dispatchEvent(new CustomEvent("act", { detail: { name, act } })));
    return button;
  }
}

/**
 * @param {IdentityInfo} info
 * @returns {Array<[string, string]>}
 */
function described({ version, versions }) {
  const { consent } = version;
  return [
    ["Consent", `${consent.by}, ${day(consent.given)}`],
    ["Holds until", consent.expires ? day(consent.expires) : "no end was set"],
    ["Purpose", consent.purpose],
    ["Tags", version.tags.join(", ") || "none"],
    ["Another channel", version.verify_by ? "a number or a link is known" : "none is known"],
    ["Enrolled by", version.enrolled_by],
    ["Enrolments", String(versions)],
  ];
}

/** Asks before anything is destroyed; `ask` resolves to whether to go on. */
export class EraseDialog {
  constructor() {
    this.text = h("p", {});
    const keep = h("button", { class: "button", type: "button", value: "keep" }, "Keep");
    const erase = h("button", { class: "button primary", type: "button", value: "erase" }, "Erase");
    const controls = h("div", { class: "controls" }, keep, erase);
    const title = h("h2", { id: "erase-title" }, "Erase this person?");
    this.dialog = h("dialog", { "aria-labelledby": "erase-title" }, h("form", {}, title, this.text, controls));
    keep.addEventListener("click", () => this.dialog.close("keep"));
    erase.addEventListener("click", () => this.dialog.close("erase"));
    document.body.append(this.dialog);
  }

  /**
   * @param {string} name
   * @returns {Promise<boolean>}
   */
  ask(name) {
    write(this.text, `Every reference of ${name} is destroyed, with its keys and the name. It cannot be undone.`);
    this.dialog.returnValue = "keep";
    this.dialog.showModal();
    return new Promise((resolve) => {
      this.dialog.addEventListener("close", () => resolve(this.dialog.returnValue === "erase"), { once: true });
    });
  }
}
