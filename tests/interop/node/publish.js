// Publishes raw media by WHIP through libwebrtc (@roamhq/wrtc) until a line comes in. Arguments: a JSON object with endpoint, token,
// i420, s16, side, fps, and rtc, the configuration of the peer.
import { closeSync, openSync, readSync, statSync } from "node:fs";
import wrtc from "@roamhq/wrtc";
import { connectedUntilTold, publish } from "./whip.js";

const { endpoint, token, i420, s16, side, fps, rtc } = JSON.parse(process.argv[2] ?? "{}");
const RATE_HZ = 48_000;
const SOUND_MS = 10;

/**
 * Calls `take` with a piece of the file every `periodMs`, over and over.
 * @param {string} path
 * @param {number} bytes of a piece
 * @param {number} periodMs
 * @param {(piece: Buffer) => void} take
 */
function play(path, bytes, periodMs, take) {
  const file = openSync(path, "r");
  const pieces = Math.floor(statSync(path).size / bytes);
  const began = performance.now();
  let number = 0;
  const timer = setInterval(() => {
    for (; began + number * periodMs <= performance.now(); number += 1) {
      const piece = Buffer.alloc(bytes);
      readSync(file, piece, 0, bytes, (number % pieces) * bytes);
      take(piece);
    }
  }, 5);
  return () => {
    clearInterval(timer);
    closeSync(file);
  };
}

const pictures = new wrtc.nonstandard.RTCVideoSource();
const sound = new wrtc.nonstandard.RTCAudioSource();
const stream = new wrtc.MediaStream();
const peer = new wrtc.RTCPeerConnection({ bundlePolicy: "max-bundle", ...rtc });
for (const source of [sound, pictures]) {
  const track = source.createTrack();
  stream.addTrack(track);
  peer.addTransceiver(track, { direction: "sendonly", streams: [stream] });
}
await peer.setLocalDescription(await peer.createOffer());
while (peer.iceGatheringState !== "complete") {
  await new Promise((resolve) => {
    peer.onicegatheringstatechange = resolve;
  });
}
const session = await publish(endpoint, token, peer.localDescription.sdp);
await peer.setRemoteDescription({ type: "answer", sdp: session.sdp });
while (peer.connectionState !== "connected") {
  await new Promise((resolve) => {
    peer.onconnectionstatechange = resolve;
  });
}
const frame = (side * side * 3) / 2;
const samples = (RATE_HZ * SOUND_MS) / 1000;
const stops = [
  play(i420, frame, 1000 / fps, (piece) =>
    pictures.onFrame({ width: side, height: side, data: new Uint8ClampedArray(piece) }),
  ),
  play(s16, samples * 2, SOUND_MS, (piece) =>
    sound.onData({
      samples: new Int16Array(piece.buffer, piece.byteOffset, samples),
      sampleRate: RATE_HZ,
      bitsPerSample: 16,
      channelCount: 1,
      numberOfFrames: samples,
    }),
  ),
];
await connectedUntilTold();
for (const stop of stops) stop();
await session.leave();
peer.close();
process.exit(0);
