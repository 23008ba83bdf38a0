/** Asking for the token: a dialog that is the same on every page and names where the token comes from. */

import { h, write } from "./dom.js";

/** Dispatches `token` with what was typed. */
export class TokenDialog extends EventTarget {
  constructor() {
    super();
    this.message = h("p", { id: "token-message", role: "alert" });
    this.input = h("input", {
      id: "token",
      type: "password",
      autocomplete: "off",
      spellcheck: "false",
      required: true,
      "aria-describedby": "token-message token-help",
    });
    const help = h(
      "p",
      { id: "token-help", class: "help" },
      "The sidecar shows it on the terminal where it starts and keeps it in the file ",
      h("code", {}, "token"),
      " of its state directory, unless ",
      h("code", {}, "SIDEWITNESS_TOKEN"),
      " sets one. It is remembered in this tab only.",
    );
    const form = h(
      "form",
      {},
      h("h2", { id: "token-title" }, "Token needed"),
      this.message,
      h("label", { for: "token" }, "Token"),
      this.input,
      help,
      h("button", { class: "button primary", type: "submit" }, "Connect"),
    );
    this.dialog = h("dialog", { "aria-labelledby": "token-title" }, form);
    form.addEventListener("submit", (event) => this.submit(event));
    document.body.append(this.dialog);
  }

  /** @param {boolean} rejected whether a token was tried and refused */
  ask(rejected) {
    const refused = "The sidecar refused this token. Check it and try again.";
    write(this.message, rejected ? refused : "This page needs the sidecar's token.");
    this.input.value = "";
    if (!this.dialog.open) this.dialog.showModal();
    this.input.focus();
  }

  /** @param {Event} event */
  submit(event) {
    event.preventDefault();
    const token = this.input.value.trim();
    if (!token) return;
    this.dialog.close();
    this.dispatchEvent(new CustomEvent("token", { detail: token }));
  }
}
