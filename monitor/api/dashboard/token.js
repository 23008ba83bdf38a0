/** Asking who it is: a dialog that is the same on every page, for signing in where one can, and for a token. */

import { h, write } from "./dom.js";

/** @type {Object<string, string>} */
const REASONS = {
  again: "Signing in took too long, or was begun in another window. Sign in again.",
  denied: "The identity provider did not let you in.",
  failed: "Signing in failed, and the sidecar's log says why. Try again, or use a token.",
  "no-role": "Your account has no role here. Ask whoever runs the sidecar for one.",
  ended: "Your session has ended. Sign in again to go on.",
};

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
    this.title = h("h2", { id: "token-title" }, "Token needed");
    this.signIn = h("a", { id: "sign-in", class: "button primary", hidden: true }, "Sign in");
    const form = h(
      "form",
      {},
      this.title,
      this.message,
      this.signIn,
      h("label", { for: "token" }, "Token"),
      this.input,
      help,
      h("button", { class: "button primary", type: "submit" }, "Connect"),
    );
    this.dialog = h("dialog", { "aria-labelledby": "token-title" }, form);
    form.addEventListener("submit", (event) => this.submit(event));
    document.body.append(this.dialog);
  }

  /** @param {string} href where one signs in; shown from now on */
  offer(href) {
    this.signIn.setAttribute("href", href);
    this.signIn.hidden = false;
    write(this.title, "Sign in");
  }

  /**
   * @param {boolean} rejected whether a token was tried and refused
   * @param {string} [why] what became of a sign-in or a session
   */
  ask(rejected, why = "") {
    const refused = "The sidecar refused this token. Check it and try again.";
    const needed = this.signIn.hidden ? "This page needs the sidecar's token." : "Sign in, or use a token.";
    write(this.message, REASONS[why] ?? (rejected ? refused : needed));
    this.input.value = "";
    if (!this.dialog.open) this.dialog.showModal();
    (this.signIn.hidden ? this.input : this.signIn).focus();
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
