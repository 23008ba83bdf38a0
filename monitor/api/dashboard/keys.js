/**
 * The keys of a page, and the card that lists them. A key that is typed into a field is text; so is one with a modifier.
 */

import { h } from "./dom.js";

/** @typedef {{ keys: string[], says: string, act: () => void }} Key */

const FIELDS = ["INPUT", "TEXTAREA", "SELECT"];

/**
 * What a key means now: null where it is text, or where a dialog is open.
 * @param {{ key: string, ctrlKey: boolean, metaKey: boolean, altKey: boolean }} event
 * @param {string} tag of the element that has the focus
 * @param {boolean} isModal whether a dialog is open
 * @param {Key[]} keys
 * @returns {Key | null}
 */
export function meant({ key, ctrlKey, metaKey, altKey }, tag, isModal, keys) {
  if (ctrlKey || metaKey || altKey || isModal || FIELDS.includes(tag)) return null;
  return keys.find((one) => one.keys.includes(key)) ?? null;
}

/** The keys of a page, with their card. */
export class Keys {
  /** @param {Key[]} keys */
  constructor(keys) {
    /** @type {Key[]} */
    this.keys = [...keys, { keys: ["?"], says: "this card", act: () => this.card.showModal() }];
    const rows = this.keys.map((one) =>
      h("div", {}, h("dt", {}, ...one.keys.flatMap((key) => [h("kbd", {}, key), " "])), h("dd", {}, one.says)),
    );
    const close = h("button", { class: "button", type: "submit", value: "close" }, "Close");
    const form = h("form", { method: "dialog" }, h("h2", { id: "keys-title" }, "Keys"), h("dl", {}, ...rows), close);
    this.card = h("dialog", { class: "help-card", "aria-labelledby": "keys-title" }, form);
    document.body.append(this.card);
    document.addEventListener("keydown", (event) => this.press(event));
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const tag = document.activeElement?.tagName ?? "";
    const isModal = document.querySelector("dialog[open]") !== null;
    const key = meant(event, tag, isModal, this.keys);
    if (!key) return;
    event.preventDefault();
    key.act();
  }
}
