/** Whether claimed identities are enrolled: one list, looked up by name, as words for a card. */

import { day } from "./format.js";

/** @typedef {import("./types.js").IdentityInfo} IdentityInfo */
/** @typedef {"none" | "absent" | "enrolled" | "pending" | "expired" | "outdated"} StatusKind */
/** @typedef {{ kind: StatusKind, text: string }} EnrolmentStatus */

/**
 * @param {string | null | undefined} identity the claim
 * @param {IdentityInfo | undefined} info
 * @param {boolean} outdated whether the comparison says so
 * @returns {EnrolmentStatus}
 */
export function enrolmentStatus(identity, info, outdated) {
  if (!identity) return { kind: "none", text: "" };
  if (!info) return { kind: "absent", text: "not enrolled" };
  if (info.state === "pending_approval") return { kind: "pending", text: "enrolment waits for approval" };
  if (info.state === "expired") return { kind: "expired", text: "consent has expired: not compared" };
  const since = `enrolled since ${day(info.version.enrolled)}`;
  if (outdated) return { kind: "outdated", text: `${since}, reference outdated: enrol anew` };
  return { kind: "enrolled", text: info.pending ? `${since}, a newer one waits for approval` : since };
}

/** Everybody who is enrolled, by name. */
export class Register {
  constructor() {
    /** @type {Map<string, IdentityInfo> | null} null until the first list */
    this.identities = null;
  }

  /** @param {IdentityInfo[]} identities */
  replace(identities) {
    this.identities = new Map(identities.map((info) => [info.name, info]));
  }

  /**
   * @param {string | null | undefined} identity
   * @param {boolean} outdated
   * @returns {EnrolmentStatus} without words while it is not known who is enrolled
   */
  status(identity, outdated) {
    if (!this.identities) return { kind: "none", text: "" };
    return enrolmentStatus(identity, this.identities.get(identity ?? ""), outdated);
  }
}
