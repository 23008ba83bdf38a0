/**
 * Publishing by WHIP (RFC 9725): one POST with what was gathered, PATCH for candidates that come later, DELETE at the end.
 * A session that was created is always deleted, also when the page goes away.
 */

import { request } from "./api.js";

const GATHERING_MS = 1_000;
const CODECS = { audio: ["audio/opus"], video: ["video/VP8", "video/H264", "video/rtx"] };

/** @typedef {{ url: string | null, etag: string | null }} Resource */

/** One publication; dispatches `state` with the RTCPeerConnection's connection state. */
export class Publication extends EventTarget {
  /**
   * @param {string} endpoint
   * @param {string | null} token
   */
  constructor(endpoint, token) {
    super();
    this.endpoint = endpoint;
    this.token = token;
    /** @type {Resource} */
    this.resource = { url: null, etag: null };
    /** @type {RTCIceCandidate[]} */
    this.late = [];
    this.stopped = false;
    this.peer = new RTCPeerConnection({ bundlePolicy: "max-bundle", rtcpMuxPolicy: "require" });
    this.peer.addEventListener("connectionstatechange", () => {
      if (!this.stopped) this.dispatchEvent(new CustomEvent("state", { detail: this.peer.connectionState }));
    });
  }

  /**
   * Offers the stream's tracks and takes the answer.
   * @param {MediaStream} stream
   * @returns {Promise<void>} rejects with an ApiError where the sidecar refuses
   */
  async start(stream) {
    for (const track of stream.getTracks()) {
      const transceiver = this.peer.addTransceiver(track, { direction: "sendonly", streams: [stream] });
      prefer(transceiver, track.kind === "audio" ? "audio" : "video");
    }
    await this.peer.setLocalDescription();
    await gathered(this.peer);
    const offer = withoutTcp(this.peer.localDescription?.sdp ?? "");
    this.peer.addEventListener("icecandidate", ({ candidate }) => this.trickle(candidate));
    const headers = { "Content-Type": "application/sdp" };
    const response = await request(this.endpoint, this.token, { method: "POST", headers, body: offer });
    const location = response.headers.get("Location");
    this.resource = { url: location && new URL(location, this.endpoint).href, etag: response.headers.get("ETag") };
    const answer = await response.text();
    if (this.stopped) {
      await this.remove();
      return;
    }
    await this.peer.setRemoteDescription({ type: "answer", sdp: answer });
    await this.flush();
  }

  /** @param {RTCIceCandidate | null} candidate */
  trickle(candidate) {
    if (!candidate?.candidate || / tcp /i.test(candidate.candidate)) return;
    this.late.push(candidate);
    // A lost late candidate costs a path, not the session: the connection state tells whether one was found.
    this.flush().catch(() => {});
  }

  async flush() {
    const { url, etag } = this.resource;
    if (!url || !etag || !this.late.length || this.stopped) return;
    const body = fragment(this.peer.localDescription?.sdp ?? "", this.late.splice(0));
    const headers = { "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": etag };
    await request(url, this.token, { method: "PATCH", headers, body });
  }

  /** Ends the session. The DELETE goes first, while the session still exists, and outlives the page. */
  async stop() {
    this.stopped = true;
    await this.remove();
    this.peer.close();
  }

  async remove() {
    const { url } = this.resource;
    this.resource = { url: null, etag: null };
    if (url) await request(url, this.token, { method: "DELETE", keepalive: true }).catch(() => {});
  }
}

/**
 * Leaves the codecs that the sidecar speaks, in the browser's order.
 * @param {RTCRtpTransceiver} transceiver
 * @param {"audio" | "video"} kind
 */
function prefer(transceiver, kind) {
  const codecs = RTCRtpSender.getCapabilities(kind)?.codecs ?? [];
  const names = CODECS[kind].map((name) => name.toLowerCase());
  const spoken = codecs.filter(({ mimeType }) => names.includes(mimeType.toLowerCase()));
  if (spoken.length) transceiver.setCodecPreferences(spoken);
}

/**
 * Waits until the candidates are complete, at most a second: host candidates take milliseconds, a slow relay may trickle.
 * @param {RTCPeerConnection} peer
 * @returns {Promise<void>}
 */
function gathered(peer) {
  return new Promise((resolve) => {
    const check = () => peer.iceGatheringState === "complete" && resolve();
    peer.addEventListener("icegatheringstatechange", check);
    window.setTimeout(resolve, GATHERING_MS);
    check();
  });
}

/**
 * The sidecar listens on UDP only, and the number of candidates that it takes is small.
 * @param {string} sdp
 */
export function withoutTcp(sdp) {
  return sdp.replace(/^a=candidate:\S+ \d+ tcp .*\r?\n/gim, "");
}

/**
 * An SDP fragment (RFC 8840) with candidates for the one bundled section of the offer.
 * @param {string} sdp the local description
 * @param {RTCIceCandidate[]} candidates
 */
export function fragment(sdp, candidates) {
  const line = (/** @type {RegExp} */ pattern) => pattern.exec(sdp)?.[0] ?? "";
  const section = [line(/^m=.*$/m), line(/^a=mid:.*$/m)];
  const head = [line(/^a=group:BUNDLE.*$/m), line(/^a=ice-ufrag:.*$/m), line(/^a=ice-pwd:.*$/m)];
  const lines = candidates.map(({ candidate }) => `a=${candidate}`);
  return [...head, ...section, ...lines]
    .filter(Boolean)
    .map((text) => `${text.trim()}\r\n`)
    .join("");
}
