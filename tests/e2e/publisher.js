// Plays a clip and publishes what it plays by WHIP, picture and sound from one clock. Parameters: clip, endpoint, token, late (ms
// by which the picture is held back).
const query = new URLSearchParams(location.search);
const video = document.querySelector("video");
video.src = query.get("clip");
await video.play();
const stream = video.captureStream();
while (stream.getAudioTracks().length === 0 || stream.getVideoTracks().length === 0) {
  await new Promise((resolve) => stream.addEventListener("addtrack", resolve, { once: true }));
}
const peer = new RTCPeerConnection();
peer.addTransceiver(stream.getAudioTracks()[0], { direction: "sendonly", streams: [stream] });
const late = Number(query.get("late") ?? 0);
const picture = late ? peer.addTransceiver("video", { direction: "sendonly", streams: [stream] }) : null;
if (!picture) peer.addTransceiver(stream.getVideoTracks()[0], { direction: "sendonly", streams: [stream] });
await peer.setLocalDescription();
while (peer.iceGatheringState !== "complete") {
  await new Promise((resolve) => peer.addEventListener("icegatheringstatechange", resolve, { once: true }));
}
const answer = await fetch(query.get("endpoint"), {
  method: "POST",
  headers: { "Content-Type": "application/sdp", Authorization: `Bearer ${query.get("token")}` },
  body: peer.localDescription.sdp,
});
if (answer.status !== 201) throw new Error(`refused: ${answer.status} ${await answer.text()}`);
await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
while (peer.connectionState !== "connected") {
  await new Promise((resolve) => peer.addEventListener("connectionstatechange", resolve, { once: true }));
}
if (picture) setTimeout(() => picture.sender.replaceTrack(stream.getVideoTracks()[0]), late);
document.title = "connected";
