// Publishes encoded media by WHIP through libdatachannel (node-datachannel), OBS's stack, until a line comes in. Arguments: a JSON
// object with endpoint, token, and h264 and opus, files of frames with four bytes of length before each.
import { readFileSync } from "node:fs";
import rtc from "node-datachannel";

const { endpoint, token, h264, opus, fps } = JSON.parse(process.argv[2] ?? "{}");
const OPUS_MS = 20;

/** @param {string} path */
function framesOf(path) {
  const bytes = readFileSync(path);
  const frames = [];
  for (let at = 0; at < bytes.length; at += 4 + bytes.readUInt32BE(at)) {
    frames.push(bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at)));
  }
  return frames;
}

/**
 * Sends the frames of a track on the wall clock, over and over.
 * @param {import("node-datachannel").Track} track
 * @param {import("node-datachannel").RtpPacketizationConfig} config
 * @param {Buffer[]} frames
 * @param {number} periodMs
 */
function play(track, config, frames, periodMs) {
  const began = performance.now();
  const first = config.timestamp;
  let number = 0;
  const timer = setInterval(() => {
    for (; began + number * periodMs <= performance.now(); number += 1) {
      config.timestamp = (first + Math.round((number * periodMs * config.clockRate) / 1000)) >>> 0;
      track.sendMessageBinary(frames[number % frames.length] ?? Buffer.alloc(0));
    }
  }, 5);
  return () => clearInterval(timer);
}

const peer = new rtc.PeerConnection("publisher", { iceServers: [] });
const audio = new rtc.Audio("0", "SendOnly");
audio.addOpusCodec(111);
audio.addSSRC(1000, "cname", "stream", "audio");
const video = new rtc.Video("1", "SendOnly");
video.addH264Codec(96);
video.addSSRC(2000, "cname", "stream", "video");
const tracks = [peer.addTrack(audio), peer.addTrack(video)];
const configs = [
  new rtc.RtpPacketizationConfig(1000, "cname", 111, 48_000),
  new rtc.RtpPacketizationConfig(2000, "cname", 96, 90_000),
];
const packetizers = [new rtc.RtpPacketizer(configs[0]), new rtc.H264RtpPacketizer("StartSequence", configs[1])];
packetizers.forEach((packetizer, index) => {
  packetizer.addToChain(new rtc.RtcpSrReporter(configs[index]));
  packetizer.addToChain(new rtc.RtcpNackResponder());
  tracks[index].setMediaHandler(packetizer);
});
const connected = new Promise((resolve) => peer.onStateChange((state) => state === "connected" && resolve(state)));
const gathered = new Promise((resolve) =>
  peer.onGatheringStateChange((state) => state === "complete" && resolve(state)),
);
peer.setLocalDescription();
await gathered;
const headers = { Authorization: `Bearer ${token}` };
const answer = await fetch(endpoint, {
  method: "POST",
  headers: { ...headers, "Content-Type": "application/sdp" },
  body: peer.localDescription()?.sdp ?? "",
});
if (answer.status !== 201) throw new Error(`refused: ${answer.status} ${await answer.text()}`);
peer.setRemoteDescription(await answer.text(), "answer");
await connected;
const stops = [
  play(tracks[0], configs[0], framesOf(opus), OPUS_MS),
  play(tracks[1], configs[1], framesOf(h264), 1000 / fps),
];
process.stdout.write("connected\n");
await new Promise((resolve) => {
  process.stdin.once("data", resolve);
  process.stdin.once("end", resolve);
});
for (const stop of stops) stop();
await fetch(new URL(answer.headers.get("Location") ?? "", endpoint), { method: "DELETE", headers });
peer.close();
process.exit(0);
