/** What is known of claimed identities: one list of who is enrolled, looked up by name, as words for a card. */

import { day } from "./words.js";

/** @typedef {import("./types.js").IdentityInfo} IdentityInfo */
/** @typedef {{ kind: "none" | "absent" | "enrolled" | "pending" | "expired" | "outdated", text: string }} Standing */

/**
 * @param {string | null | undefined} identity the claim
 * @param {IdentityInfo | undefined} info
 * @param {boolean} outdated whether the comparison says so
 * @returns {Standing}
 */
export function standing(identity, info, outdated) {
  if (!identity) return { kind: "none", text: "" };
  if (!info) return { kind: "absent", text: "not enrolled" };
  if (info.state === "pending_approval") return { kind: "pending", text: "enrolment waits for approval" };
  if (info.state === "expired") return { kind: "expired", text: "consent has expired: not compared" };
  const since = `enrolled since ${day(info.version.enrolled)}`;
  if (outdated) return { kind: "outdated", text: `${since}, reference outdated: enrol anew` };
  return { kind: "enrolled", text: info.pending ? `${since}, a newer one waits for approval` : since };
}

/** Everybody who is enrolled, by name; null as long as nobody has said. */
export class Register {
  constructor() {
    /** @type {Map<string, IdentityInfo> | null} */
    this.people = null;
  }

  /** @param {IdentityInfo[]} identities */
  take(identities) {
    this.people = new Map(identities.map((info) => [info.name, info]));
  }

  /**
   * @param {string | null | undefined} identity
   * @param {boolean} outdated
   * @returns {Standing | null} null while it is not known who is enrolled
   */
  standing(identity, outdated) {
    return this.people && standing(identity, this.people.get(identity ?? ""), outdated);
  }
}
