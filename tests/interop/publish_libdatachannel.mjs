/**
 * Connects to a WHIP endpoint by libdatachannel, OBS's stack, as often as asked, and says how each attempt ended.
 *
 * `node publish_libdatachannel.mjs FOLDER ENDPOINT TOKEN TIMES`; FOLDER has `node_modules/node-datachannel`. Prints one
 * line for each attempt: the last state of the connection.
 */
import { createRequire } from "node:module";

const [folder, endpoint, token, times] = process.argv.slice(2);
const { default: rtc } = await import(createRequire(`${folder}/`).resolve("node-datachannel"));
const PATIENCE_MS = 12_000;
const authorization = { Authorization: `Bearer ${token}` };

async function attempt(number) {
  const peer = new rtc.PeerConnection(`p${number}`, { iceServers: [] });
  let settle;
  const settled = new Promise((resolve) => (settle = resolve));
  const gathered = new Promise((resolve) => {
    peer.onGatheringStateChange((state) => state === "complete" && resolve());
  });
  peer.onStateChange((state) => ["connected", "failed", "closed"].includes(state) && settle(state));
  const audio = new rtc.Audio("0", "SendOnly");
  audio.addOpusCodec(111);
  audio.addSSRC(1000, "cname", "stream", "audio");
  const video = new rtc.Video("1", "SendOnly");
  video.addH264Codec(96);
  video.addSSRC(2000, "cname", "stream", "video");
  const tracks = [peer.addTrack(audio), peer.addTrack(video)];
  peer.setLocalDescription();
  await gathered;
  const response = await fetch(endpoint, {
    method: "POST",
    headers: { ...authorization, "Content-Type": "application/sdp" },
    body: peer.localDescription().sdp,
  });
  if (response.status !== 201) return `refused ${response.status}`;
  peer.setRemoteDescription(await response.text(), "answer");
  const state = await Promise.race([settled, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, "timeout"))]);
  await fetch(new URL(response.headers.get("location"), endpoint), { method: "DELETE", headers: authorization });
  tracks.forEach((track) => track.close());
  peer.close();
  return state;
}

for (let number = 0; number < Number(times); number += 1) console.log(await attempt(number));
rtc.cleanup?.();
process.exit(0);
