/**
 * The subscriber's side of `sidewitness.alerts.v1` as a pure state machine: events in, a new state and effects out, no
 * sockets, timers or randomness. The cursor moves only with what was delivered, so a resume never skips a finding.
 *
 * @typedef {object} Link
 * @property {"idle" | "asking" | "connecting" | "subscribing" | "live" | "waiting" | "refused" | "barred"} phase
 * @property {string | null} token null while none is known; empty where the browser's session stands for one
 * @property {number | null} cursor sequence number of the newest finding seen; null before the first hello
 * @property {number} attempts tries since the last hello
 *
 * @typedef {{ type: "token", token: string | null }
 *   | { type: "opened" }
 *   | { type: "message", text: string }
 *   | { type: "closed", code: number, chance: number }
 *   | { type: "due" }} LinkEvent `chance` is uniform in [0, 1)
 *
 * @typedef {{ do: "connect" }
 *   | { do: "disconnect" }
 *   | { do: "send", text: string }
 *   | { do: "wait", milliseconds: number }
 *   | { do: "ask", rejected: boolean }
 *   | { do: "picture", after: number }
 *   | { do: "deliver", message: Object<string, any> }} Effect
 */

export const SUBPROTOCOL = "sidewitness.alerts.v1";
const BAD_MESSAGE = 4400;
const BAD_TOKEN = 4401;
const FORBIDDEN = 4403;
const TOO_SLOW = 4008;
const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 15_000;
const RESUME_DELAY_MS = 100;
const FIRST_FINDINGS = 200;

/** @returns {Link} */
export function initial() {
  return { phase: "idle", token: null, cursor: null, attempts: 0 };
}

/**
 * Exponential with full jitter in its upper half, so that many pages do not return in step.
 * @param {number} attempts
 * @param {number} chance
 */
export function backoff(attempts, chance) {
  const ceiling = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempts, 10));
  return Math.round(ceiling * (0.5 + 0.5 * chance));
}

/**
 * @param {Link} link
 * @param {LinkEvent} event
 * @returns {[Link, Effect[]]}
 */
export function advance(link, event) {
  switch (event.type) {
    case "token":
      return onToken(link, event.token);
    case "opened":
      return [{ ...link, phase: "subscribing" }, [{ do: "send", text: subscription(link) }]];
    case "message":
      return onMessage(link, parse(event.text));
    case "closed":
      return onClosed(link, event);
    case "due":
      return link.phase === "waiting" ? [{ ...link, phase: "connecting" }, [{ do: "connect" }]] : [link, []];
  }
}

/** @param {Link} link */
function subscription(link) {
  return JSON.stringify({ type: "subscribe", token: link.token || null, after: link.cursor, states: true });
}

/**
 * @param {Link} link
 * @param {string | null} token
 * @returns {[Link, Effect[]]}
 */
function onToken(link, token) {
  if (token === null) {
    return [{ ...link, phase: "asking", token: null }, [{ do: "disconnect" }, { do: "ask", rejected: false }]];
  }
  return [{ ...link, phase: "connecting", token, attempts: 0 }, [{ do: "disconnect" }, { do: "connect" }]];
}

/**
 * @param {string} text
 * @returns {Object<string, any>}
 */
function parse(text) {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

/**
 * @param {Link} link
 * @param {Object<string, any>} message
 * @returns {[Link, Effect[]]}
 */
function onMessage(link, message) {
  switch (message.type) {
    case "hello":
      return onHello(link, message);
    case "finding":
      return [{ ...link, cursor: Math.max(link.cursor ?? 0, message.seq) }, [{ do: "deliver", message }]];
    case "tampered":
      return [{ ...link, cursor: Math.max(link.cursor ?? 0, message.seq) }, [{ do: "deliver", message }]];
    case "gap":
      return [{ ...link, cursor: Math.max(link.cursor ?? 0, message.after ?? 0) }, [{ do: "deliver", message }]];
    case "state":
    case "case":
    case "unmonitored":
      return [link, [{ do: "deliver", message }]];
    default:
      return [link, []];
  }
}

/**
 * A head behind the cursor means another journal: start over from what it holds.
 * @param {Link} link
 * @param {Object<string, any>} message
 * @returns {[Link, Effect[]]}
 */
function onHello(link, message) {
  const live = { ...link, phase: /** @type {const} */ ("live"), attempts: 0 };
  const resumes = link.cursor !== null && link.cursor <= message.seq;
  if (resumes) return [live, [{ do: "deliver", message }]];
  const picture = { do: /** @type {const} */ ("picture"), after: Math.max(0, message.seq - FIRST_FINDINGS) };
  return [{ ...live, cursor: message.seq }, [{ do: "deliver", message }, picture]];
}

/**
 * @param {Link} link
 * @param {{ code: number, chance: number }} event
 * @returns {[Link, Effect[]]}
 */
function onClosed(link, { code, chance }) {
  if (["asking", "refused", "barred"].includes(link.phase)) return [link, []];
  if (code === BAD_TOKEN) return [{ ...link, phase: "asking", token: null }, [{ do: "ask", rejected: true }]];
  if (code === FORBIDDEN) return [{ ...link, phase: "barred" }, []];
  if (code === BAD_MESSAGE) return [{ ...link, phase: "refused" }, []];
  const milliseconds = code === TOO_SLOW && link.attempts === 0 ? RESUME_DELAY_MS : backoff(link.attempts, chance);
  return [{ ...link, phase: "waiting", attempts: link.attempts + 1 }, [{ do: "wait", milliseconds }]];
}
