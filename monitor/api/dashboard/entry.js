/** By what somebody is known to this page: a token, or the session of a browser that has signed in. */

import { address, getBearer, getSession, hasToken, keepToken, signOut, takeToken, useSession } from "./api.js";
import { h } from "./dom.js";
import { TokenDialog } from "./token.js";

const PROBLEM = /#sign-in=([a-z-]+)$/;
// What the sidecar sends a browser back to.
const WAY_BACK = /^[!-[\]-~]{1,512}$/;

/** Dispatches `token` with a token, which is empty where the session stands for one, or null where nobody is known. */
export class Entry extends EventTarget {
  /** @param {HTMLElement} place where it is shown who has signed in */
  constructor(place) {
    super();
    this.place = place;
    this.dialog = new TokenDialog();
    this.isSession = false;
    /** @type {string | null} by which the tenant was asked for that is shown */
    this.named = null;
    this.problem = problem();
    this.dialog.addEventListener("token", (event) => {
      if (event instanceof CustomEvent) this.use(event.detail);
    });
    // A skip link changes the fragment too; only one that carries a token means anything here.
    window.addEventListener("hashchange", () => hasToken() && this.use(takeToken()));
  }

  /** Finds out who it is: a token goes before a session. */
  async begin() {
    const token = takeToken();
    if (token) {
      this.use(token);
      return;
    }
    const session = await this.look();
    if (session) this.welcome(session);
    else this.use(null);
  }

  /** @param {boolean} rejected whether a token was tried and refused */
  async ask(rejected) {
    keepToken(null);
    const why = this.isSession && rejected ? "ended" : this.problem;
    this.leave();
    this.problem = "";
    await this.look();
    this.dialog.ask(rejected, why);
  }

  /** @returns {Promise<import("./types.js").OwnSession | null>} that of this browser; offers to sign in where one can */
  async look() {
    const { sign_in: canSignIn, session } = await getSession().catch(() => ({ sign_in: false, session: null }));
    if (canSignIn) this.dialog.offer(address(`v1/login?back=${encodeURIComponent(here())}`));
    return session;
  }

  /** @param {string | null} token */
  use(token) {
    this.leave();
    keepToken(token);
    this.dispatchEvent(new CustomEvent("token", { detail: token }));
  }

  /** @param {import("./types.js").OwnSession} session */
  welcome(session) {
    useSession(session);
    this.isSession = true;
    const button = h("button", { id: "sign-out", class: "button small", type: "button" }, "Sign out");
    button.addEventListener("click", () => this.signOut());
    const own = session.permissions.includes("own") ? h("a", { href: "me" }, "Your status") : null;
    const account = h("div", { id: "account", class: "account" }, h("span", { class: "help" }, session.subject), own);
    account.append(button);
    this.place.append(account);
    this.dispatchEvent(new CustomEvent("token", { detail: "" }));
  }

  /**
   * Shows whose everything is on this page, where the sidecar serves several tenants.
   * @param {string | null} token one that was taken: a wrong one would count twice against whoever tries it
   */
  async nameTenant(token) {
    this.named = token;
    const bearer = await getBearer(token).catch(() => null);
    if (!bearer || this.named !== token) return;
    document.getElementById("tenant")?.remove();
    if (!bearer.shared) return;
    const shown = h("p", { id: "tenant", class: "tenant" }, "Tenant ", h("b", {}, bearer.tenant));
    document.querySelector(".brand")?.after(shown);
  }

  leave() {
    this.isSession = false;
    this.named = null;
    useSession(null);
    document.getElementById("account")?.remove();
    document.getElementById("tenant")?.remove();
  }

  async signOut() {
    const provider = await signOut().catch(() => null);
    location.assign(provider ?? address("./"));
  }
}

/** @returns {string} this page below the sidecar's root, with what it was asked for where that can be sent along */
function here() {
  const path = `/${location.pathname.slice(new URL("./", document.baseURI).pathname.length)}`;
  const whole = path + location.search + location.hash;
  return WAY_BACK.test(whole) ? whole : path;
}

/** @returns {string} what became of a sign-in, taken out of the address bar */
function problem() {
  const found = PROBLEM.exec(location.hash);
  if (!found) return "";
  history.replaceState(null, "", location.pathname + location.search + location.hash.slice(0, found.index));
  return found[1] ?? "";
}
