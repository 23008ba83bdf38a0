// Publishes by WHIP what a clip plays or, without one, flashes and beeps. Parameters: clip, endpoint, token, late (ms by which the
// picture is held back), rtc (the peer's configuration as JSON). `leave()` ends the session.
export {};

const query = new URLSearchParams(location.search);

/** @typedef {() => MediaStream} Capture the lib of types lacks the method, and Firefox calls it by a name of its own */
/** @typedef {HTMLVideoElement & { captureStream?: Capture, mozCaptureStream: Capture }} CapturedVideo */

/** @param {string} clip address */
async function played(clip) {
  const video = /** @type {CapturedVideo} */ (document.querySelector("video"));
  video.src = clip;
  await video.play();
  const stream = video.captureStream?.() ?? video.mozCaptureStream();
  while (stream.getAudioTracks().length === 0 || stream.getVideoTracks().length === 0) {
    await new Promise((resolve) => stream.addEventListener("addtrack", resolve, { once: true }));
  }
  return stream;
}

// A playing element hands out its sound before, and its picture after the delay of the sound card; here both are made at one moment.
async function flashing() {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: 320, height: 240 });
  const paint = canvas.getContext("2d");
  if (!paint) throw new Error("this browser does not paint");
  const sound = new AudioContext({ sampleRate: 48000, latencyHint: "interactive" });
  await sound.resume();
  const tone = new OscillatorNode(sound, { frequency: 1000 });
  const volume = new GainNode(sound, { gain: 0 });
  const out = new MediaStreamAudioDestinationNode(sound, { channelCount: 1 });
  tone.connect(volume).connect(out);
  tone.start();
  let lit = false;
  const begin = performance.now();
  setInterval(() => {
    const since = (performance.now() - begin) % 2000;
    const now = since < 120;
    if (now !== lit) volume.gain.setValueAtTime(now ? 0.5 : 0, sound.currentTime);
    lit = now;
    paint.fillStyle = lit ? "white" : "black";
    paint.fillRect(0, 0, 320, 240);
    paint.fillStyle = "grey";
    paint.fillRect((since / 2000) * 310, 230, 10, 10);
  }, 20);
  return new MediaStream([...canvas.captureStream(50).getTracks(), ...out.stream.getTracks()]);
}

/**
 * @template T
 * @param {T | null | undefined} value
 * @returns {T}
 */
function present(value) {
  if (value === null || value === undefined) throw new Error("something is missing");
  return value;
}

const clip = query.get("clip");
const stream = clip ? await played(clip) : await flashing();
const [sound, film] = [present(stream.getAudioTracks()[0]), present(stream.getVideoTracks()[0])];
const peer = new RTCPeerConnection(JSON.parse(query.get("rtc") ?? "{}"));
peer.addTransceiver(sound, { direction: "sendonly", streams: [stream] });
const late = Number(query.get("late") ?? 0);
const picture = late ? peer.addTransceiver("video", { direction: "sendonly", streams: [stream] }) : null;
if (!picture) peer.addTransceiver(film, { direction: "sendonly", streams: [stream] });
await peer.setLocalDescription();
while (peer.iceGatheringState !== "complete") {
  await new Promise((resolve) => peer.addEventListener("icegatheringstatechange", resolve, { once: true }));
}
const endpoint = present(query.get("endpoint"));
const authorization = { Authorization: `Bearer ${query.get("token")}` };
const answer = await fetch(endpoint, {
  method: "POST",
  headers: { "Content-Type": "application/sdp", ...authorization },
  body: present(peer.localDescription).sdp,
});
if (answer.status !== 201) throw new Error(`refused: ${answer.status} ${await answer.text()}`);
const session = answer.headers.get("Location");
Object.assign(window, {
  leave: async () => {
    if (session) await fetch(new URL(session, endpoint), { method: "DELETE", headers: authorization });
    peer.close();
  },
});
await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
while (peer.connectionState !== "connected") {
  await new Promise((resolve) => peer.addEventListener("connectionstatechange", resolve, { once: true }));
}
if (picture) setTimeout(() => picture.sender.replaceTrack(film), late);
document.title = "connected";
