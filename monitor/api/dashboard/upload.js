/** Sending clips to be enrolled: one form with the consent first, so that the sidecar can refuse before anything large moves. */

import { ApiError, credentials, failure, identityAddress } from "./api.js";
import { hex } from "./format.js";

/** @typedef {{ by: string, given: string, expires?: string, purpose?: string, evidence_sha256?: string }} Consent */
/** @typedef {{ tags?: string[], verify_by?: string }} Details */
/** @typedef {{ name: string, consent: Consent | null, details: Details | null, clips: File[] }} Order */

/** One upload; `fetch` cannot tell how far it is, so this is an XMLHttpRequest. */
export class Upload {
  /**
   * @param {string | null} token
   * @param {Order} order
   * @param {(share: number) => void} onProgress 0 to 1
   */
  constructor(token, order, onProgress) {
    this.request = new XMLHttpRequest();
    this.request.open("POST", identityAddress(order.name));
    for (const [name, value] of Object.entries(credentials(token))) this.request.setRequestHeader(name, value);
    this.request.upload.addEventListener("progress", ({ loaded, total }) => onProgress(total ? loaded / total : 0));
    this.form = new FormData();
    if (order.consent) this.form.append("consent", JSON.stringify(order.consent));
    if (order.details) this.form.append("details", JSON.stringify(order.details));
    for (const clip of order.clips) this.form.append("clips", clip, clip.name);
  }

  /** @returns {Promise<import("./types.js").EnrolmentJob>} rejects with an ApiError */
  send() {
    const { request } = this;
    return new Promise((resolve, reject) => {
      request.addEventListener("load", () => {
        if (request.status === 202) resolve(JSON.parse(request.responseText));
        else reject(failure(request.status, request.responseText, request.getResponseHeader("Retry-After")));
      });
      request.addEventListener("error", () =>
        reject(new ApiError(0, "The upload broke off. Is the sidecar still running?")),
      );
      request.addEventListener("abort", () => reject(new ApiError(0, "The upload was stopped.")));
      request.send(this.form);
    });
  }

  stop() {
    this.request.abort();
  }
}

/**
 * The fingerprint of a signed paper or recording; the file itself stays where it is.
 * @param {File} file
 */
export async function sha256(file) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  return hex(bytes);
}
