/** A peer of libdatachannel (node-datachannel), OBS's stack, that offers Opus and H.264. */
import rtc from "node-datachannel";

export const AUDIO = { ssrc: 1000, payloadType: 111, clockRate: 48_000 };
export const VIDEO = { ssrc: 2000, payloadType: 96, clockRate: 90_000 };

/** @param {string} name */
export function openPeer(name) {
  const peer = new rtc.PeerConnection(name, { iceServers: [] });
  const audio = new rtc.Audio("0", "SendOnly");
  audio.addOpusCodec(AUDIO.payloadType);
  audio.addSSRC(AUDIO.ssrc, "cname", "stream", "audio");
  const video = new rtc.Video("1", "SendOnly");
  video.addH264Codec(VIDEO.payloadType);
  video.addSSRC(VIDEO.ssrc, "cname", "stream", "video");
  return { peer, tracks: [peer.addTrack(audio), peer.addTrack(video)] };
}

/**
 * Gives the offer once it holds every candidate.
 * @param {import("node-datachannel").PeerConnection} peer
 * @returns {Promise<string>}
 */
export async function offerOf(peer) {
  const gathered = new Promise((resolve) =>
    peer.onGatheringStateChange((state) => state === "complete" && resolve(state)),
  );
  peer.setLocalDescription();
  await gathered;
  return peer.localDescription()?.sdp ?? "";
}
