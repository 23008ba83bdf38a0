/**
 * The public HTTP API and the token. Addresses are relative to the page, so the sidecar may sit behind a path prefix; the
 * token lives in this tab's session storage and leaves the address bar before anything else happens.
 */

const KEY = "sidewitness.token";
const TIMEOUT_MS = 10_000;
const MAX_PAGES = 10;
const FINDINGS_PER_PAGE = 200;

/** An answer that is not a success, with what the problem document says (RFC 9457). */
export class ApiError extends Error {
  /**
   * @param {number} status 0 where there was no answer
   * @param {string} detail
   * @param {number | null} [retryAfter] seconds
   */
  constructor(status, detail, retryAfter = null) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** What goes along with every request that changes something, while this browser's session stands for a token. */
let csrf = "";

const FRAGMENT = /(?:^#|&)token=([^&]*)/;

/** @returns {boolean} whether the address carries a token */
export function hasToken() {
  return FRAGMENT.test(location.hash);
}

/** @returns {string | null} the token of `#token=...`, taken out of the address bar, else that of this tab */
export function takeToken() {
  const found = FRAGMENT.exec(location.hash);
  if (!found) return sessionStorage.getItem(KEY);
  history.replaceState(null, "", location.pathname + location.search);
  const token = decoded(found[1] ?? "") || null;
  keepToken(token);
  return token;
}

/** @param {string} text percent-encoded, or a token that happens to hold a percent sign */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @param {string | null} token null forgets it */
export function keepToken(token) {
  if (token) sessionStorage.setItem(KEY, token);
  else sessionStorage.removeItem(KEY);
}

/** @param {import("./types.js").OwnSession | null} session that of this browser; null where there is none */
export function useSession(session) {
  csrf = session?.csrf ?? "";
}

/**
 * @param {string | null} token empty where the browser's session stands for one
 * @returns {Object<string, string>} the headers that say who asks
 */
export function credentials(token) {
  if (token) return { Authorization: `Bearer ${token}` };
  return csrf ? { "X-CSRF-Token": csrf } : {};
}

/** @param {string} path relative to the sidecar's root */
export function address(path) {
  return new URL(path, document.baseURI).href;
}

/** @returns {string} the address of the alerts socket */
export function alertsAddress() {
  return address("v1/alerts").replace(/^http/, "ws");
}

/**
 * @param {string} call
 * @param {string} participant
 * @param {string} [identity] who they claim to be
 */
export function whipAddress(call, participant, identity = "") {
  const claim = identity && `?identity=${encodeURIComponent(identity)}`;
  return address(`v1/calls/${encodeURIComponent(call)}/participants/${encodeURIComponent(participant)}/whip${claim}`);
}

/**
 * @param {string} name
 * @param {"" | "/approve" | "/reject"} [act]
 */
export function identityAddress(name, act = "") {
  return address(`v1/identities/${encodeURIComponent(name)}${act}`);
}

/**
 * One request with the token; anything but a success is an ApiError.
 * @param {string} url
 * @param {string | null} token
 * @param {RequestInit} [init]
 * @returns {Promise<Response>}
 */
export async function request(url, token, init = {}) {
  const headers = { ...init.headers, ...credentials(token) };
  let response;
  try {
    response = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS), ...init, headers });
  } catch {
    throw new ApiError(0, "The sidecar does not answer. Is it still running?");
  }
  if (!response.ok) {
    throw failure(response.status, await response.text().catch(() => ""), response.headers.get("Retry-After"));
  }
  return response;
}

/**
 * @param {number} status
 * @param {string} text the body, a problem document where the sidecar wrote it
 * @param {string | null} retryAfter
 */
export function failure(status, text, retryAfter) {
  const seconds = Number.parseInt(retryAfter ?? "", 10);
  const { detail, title } = Object(parse(text));
  return new ApiError(status, String(detail ?? title ?? `error ${status}`), Number.isFinite(seconds) ? seconds : null);
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * What verdicts, reasons and detectors are called; open to everybody, and asked anew only where it changed.
 * @returns {Promise<import("./types.js").Words>}
 */
export async function getWords() {
  return (await request(address("v1/words"), null, { cache: "no-cache" })).json();
}

/**
 * @param {string | null} token
 * @returns {Promise<import("./types.js").ParticipantState[]>} everyone in every call, now
 */
export async function getParticipants(token) {
  const { calls } = await (await request(address("v1/calls"), token)).json();
  return calls.flatMap((/** @type {any} */ { call, participants }) =>
    participants.map((/** @type {any} */ participant) => ({ ...participant, call })),
  );
}

/**
 * @param {string | null} token
 * @param {number} after
 * @returns {Promise<import("./types.js").FindingMessage[]>} the findings after that sequence number, oldest first
 */
export async function getFindings(token, after) {
  const all = [];
  for (let page = 0, from = after; page < MAX_PAGES; page += 1) {
    const { findings, next } = await (
      await request(address(`v1/findings?after=${from}&limit=${FINDINGS_PER_PAGE}`), token)
    ).json();
    all.push(...findings);
    if (!findings.length || !(next > from)) break;
    from = next;
  }
  return all;
}

/**
 * @param {string | null} token
 * @param {URLSearchParams} filters as GET /v1/findings takes them
 * @param {number} limit
 * @returns {Promise<import("./types.js").FoundPage>} findings, each once, newest first
 */
export async function findFindings(token, filters, limit) {
  const query = new URLSearchParams(filters);
  query.set("view", "findings");
  query.set("limit", String(limit));
  return (await request(address(`v1/findings?${query}`), token)).json();
}

/**
 * @param {string | null} token
 * @param {string} id
 * @returns {Promise<import("./types.js").WholeFinding>}
 */
export async function getFinding(token, id) {
  return (await request(address(`v1/findings/${encodeURIComponent(id)}`), token)).json();
}

/**
 * @param {string | null} token
 * @param {string} id of the finding
 * @param {import("./types.js").EventOrder} order
 */
export async function recordEvent(token, id, order) {
  const url = address(`v1/findings/${encodeURIComponent(id)}/events`);
  const headers = { "Content-Type": "application/json" };
  await request(url, token, { method: "POST", headers, body: JSON.stringify(order) });
}

/**
 * @param {string | null} token
 * @returns {Promise<{ identities: import("./types.js").IdentityInfo[], policy: import("./types.js").Policy }>} who is enrolled
 */
export async function getIdentities(token) {
  return (await request(address("v1/identities"), token)).json();
}

/**
 * Approves, rejects or erases.
 * @param {string | null} token
 * @param {string} name
 * @param {"approve" | "reject" | "erase"} act
 * @returns {Promise<any>}
 */
export async function decide(token, name, act) {
  const url = act === "erase" ? identityAddress(name) : identityAddress(name, `/${act}`);
  const init = {
    method: act === "erase" ? "DELETE" : "POST",
    signal: AbortSignal.timeout(3 * TIMEOUT_MS),
  };
  return (await request(url, token, init)).json();
}

/**
 * @param {string | null} token
 * @returns {Promise<import("./types.js").Bearer>} whose token it is, and what it may do
 */
export async function getBearer(token) {
  return (await request(address("v1/token"), token)).json();
}

/** @returns {Promise<import("./types.js").SessionState>} whether one can sign in, and who has in this browser */
export async function getSession() {
  return (await request(address("v1/session"), null)).json();
}

/** @returns {Promise<string | null>} where to end the provider's session too */
export async function signOut() {
  return (await (await request(address("v1/logout"), null, { method: "POST" })).json()).provider;
}

/**
 * @param {string | null} token
 * @returns {Promise<import("./types.js").OwnStatus>} what is said of oneself
 */
export async function getOwnStatus(token) {
  return (await request(address("v1/me"), token)).json();
}

/**
 * @param {string | null} token
 * @returns {Promise<import("./types.js").EnrolmentJob[]>} what waits, runs and ended lately, without poses
 */
export async function getEnrolments(token) {
  return (await (await request(address("v1/enrolments"), token)).json()).enrolments;
}

/**
 * @param {string | null} token
 * @param {string} id
 * @returns {Promise<import("./types.js").EnrolmentJob>}
 */
export async function getEnrolment(token, id) {
  return (await request(address(`v1/enrolments/${encodeURIComponent(id)}`), token)).json();
}

/**
 * @param {string | null} token
 * @param {string} id
 */
export async function cancelEnrolment(token, id) {
  await request(address(`v1/enrolments/${encodeURIComponent(id)}`), token, {
    method: "DELETE",
    signal: AbortSignal.timeout(2 * TIMEOUT_MS),
  });
}
