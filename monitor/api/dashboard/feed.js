/**
 * The thin shell around `socket.js`: one WebSocket, one timer, and events for the page. It decides nothing.
 */

import { SUBPROTOCOL, advance, initial } from "./socket.js";

/**
 * Dispatches `phase` ({ phase, delay }), `ask` ({ rejected }), `picture` ({ after }) and `message` (the message itself),
 * each as a CustomEvent's detail.
 */
export class Feed extends EventTarget {
  /** @param {string} address ws: or wss: */
  constructor(address) {
    super();
    this.address = address;
    this.link = initial();
    /** @type {WebSocket | null} */
    this.socket = null;
    this.timer = 0;
    window.addEventListener("online", () => this.step({ type: "due" }));
  }

  /** @returns {string | null} */
  get token() {
    return this.link.token;
  }

  /** @param {string | null} token null asks for one */
  useToken(token) {
    this.step({ type: "token", token });
  }

  /** @param {import("./socket.js").LinkEvent} event */
  step(event) {
    const [link, effects] = advance(this.link, event);
    const changed = link.phase !== this.link.phase;
    this.link = link;
    const wait = effects.find((effect) => effect.do === "wait");
    if (changed) this.emit("phase", { phase: link.phase, delay: wait?.milliseconds ?? 0 });
    for (const effect of effects) this.perform(effect);
  }

  /** @param {import("./socket.js").Effect} effect */
  perform(effect) {
    if (effect.do === "connect") this.connect();
    else if (effect.do === "disconnect") this.disconnect();
    else if (effect.do === "send") this.socket?.send(effect.text);
    else if (effect.do === "wait") {
      this.timer = window.setTimeout(() => this.step({ type: "due" }), effect.milliseconds);
    } else if (effect.do === "deliver") this.emit("message", effect.message);
    else this.emit(effect.do, effect);
  }

  connect() {
    window.clearTimeout(this.timer);
    const socket = new WebSocket(this.address, SUBPROTOCOL);
    this.socket = socket;
    // Events of a socket that was replaced must not move the state of its successor.
    const current = (/** @type {import("./socket.js").LinkEvent} */ event) =>
      this.socket === socket && this.step(event);
    socket.addEventListener("open", () => current({ type: "opened" }));
    socket.addEventListener("message", ({ data }) => current({ type: "message", text: data }));
    socket.addEventListener("close", ({ code }) => current({ type: "closed", code, chance: Math.random() }));
  }

  disconnect() {
    window.clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  /**
   * @param {string} type
   * @param {unknown} detail
   */
  emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
