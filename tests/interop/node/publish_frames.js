// Publishes encoded media by WHIP through libdatachannel (node-datachannel), OBS's stack, until a line comes in. Arguments: a JSON
// object with endpoint, token, and h264 and opus, files of frames with four bytes of length before each.
import { readFileSync } from "node:fs";
import rtc from "node-datachannel";
import { AUDIO, offerOf, openPeer, VIDEO } from "./libdatachannel.js";
import { connectedUntilTold, publish } from "./whip.js";

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

const { peer, tracks } = openPeer("publisher");
const configs = [
  new rtc.RtpPacketizationConfig(AUDIO.ssrc, "cname", AUDIO.payloadType, AUDIO.clockRate),
  new rtc.RtpPacketizationConfig(VIDEO.ssrc, "cname", VIDEO.payloadType, VIDEO.clockRate),
];
const packetizers = [new rtc.RtpPacketizer(configs[0]), new rtc.H264RtpPacketizer("StartSequence", configs[1])];
packetizers.forEach((packetizer, index) => {
  packetizer.addToChain(new rtc.RtcpSrReporter(configs[index]));
  packetizer.addToChain(new rtc.RtcpNackResponder());
  tracks[index].setMediaHandler(packetizer);
});
const connected = new Promise((resolve) => peer.onStateChange((state) => state === "connected" && resolve(state)));
const session = await publish(endpoint, token, await offerOf(peer));
peer.setRemoteDescription(session.sdp, "answer");
await connected;
const stops = [
  play(tracks[0], configs[0], framesOf(opus), OPUS_MS),
  play(tracks[1], configs[1], framesOf(h264), 1000 / fps),
];
await connectedUntilTold();
for (const stop of stops) stop();
await session.leave();
peer.close();
process.exit(0);
