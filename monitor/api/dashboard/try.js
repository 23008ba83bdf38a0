/** The page that publishes your camera and shows what subscribers get about you. */

import { ApiError, getIdentities, whipAddress } from "./api.js";
import { Board, hasLeft } from "./cards.js";
import { byId, detailOf, notify, write } from "./dom.js";
import { FindingList } from "./findings.js";
import { hex } from "./format.js";
import { connect, startWithWords } from "./link.js";
import { Publication } from "./whip.js";
import { phrase, verdictLabel } from "./words.js";

const CALL = "try";
const CONNECTING_MS = 15_000;
const TICK_MS = 1_000;
const RETRY_SECONDS = 10;
const MEDIA = {
  // Clean-up in the browser would change the voice that the lips are compared with.
  audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } },
};
/** @type {Object<string, string>} */
const MEDIA_ERRORS = {
  NotAllowedError:
    "Camera or microphone was not allowed. Allow both for this page in the address bar, then start again.",
  NotFoundError: "No camera or no microphone was found. Connect both, then start again.",
  NotReadableError: "Camera or microphone is in use by another program. Close it there, then start again.",
  OverconstrainedError: "This camera cannot deliver a picture that fits. Try another one.",
};
const INSECURE = "Browsers give the camera only to https pages or to localhost. Open this page in one of these ways.";
const ENDED = "The connection to the sidecar ended. Start again to publish anew.";
const UNREACHABLE = "Media do not reach the sidecar. A firewall may block UDP between this browser and the sidecar.";

const name = `you-${hex(crypto.getRandomValues(new Uint8Array(2)))}`;
const { feed, start: startFeed } = connect();
/** Who is judged could learn from scores how to pass: they see words, unless the operator has switched scores on. */
const scores = document.body.dataset.scores === "shown";
const board = new Board(byId("board"), scores);
const findings = new FindingList(byId("findings"), byId("no-findings"), scores);
const identity = /** @type {HTMLInputElement} */ (byId("identity"));
const preview = /** @type {HTMLVideoElement} */ (byId("preview"));
/** @type {MediaStream | null} */
let stream = null;
/** @type {Publication | null} */
let publication = null;
let deadlineTimer = 0;
/** Who the one before the camera claims to be, while it is on. */
let claimed = "";
/** From the page's clock to the sidecar's. */
let skewMs = 0;

/**
 * @param {"off" | "starting" | "on"} phase
 * @param {string} text
 */
function show(phase, text) {
  document.body.dataset.camera = phase;
  swap(phase === "off" ? "stop" : "start", phase === "off" ? "start" : "stop");
  identity.disabled = phase !== "off";
  byId("stage-hint").hidden = stream !== null;
  write(byId("progress"), text);
}

/**
 * Shows one button in the place of another; the keyboard's focus goes along, or it would fall to the top of the page.
 * @param {string} from
 * @param {string} to
 */
function swap(from, to) {
  const hadFocus = document.activeElement === byId(from);
  byId(to).hidden = false;
  byId(from).hidden = true;
  if (hadFocus) byId(to).focus();
}

/** @param {string} text empty hides it */
const complain = (text) => notify("problem", text);

/** @param {unknown} error */
function explain(error) {
  const media = error instanceof DOMException ? MEDIA_ERRORS[error.name] : undefined;
  if (media) return media;
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
  if (error.status === 401) return "The sidecar refused the token. Enter it again, then start again.";
  if (error.status === 503) return `The sidecar is full. Start again in ${error.retryAfter ?? RETRY_SECONDS} seconds.`;
  return error.status ? `The sidecar refused the camera (${error.status}): ${error.message}` : error.message;
}

async function startCamera() {
  complain(navigator.mediaDevices ? "" : INSECURE);
  if (!navigator.mediaDevices) return;
  if (feed.token === null) {
    feed.useToken(null);
    return;
  }
  claimed = identity.value.trim();
  const started = new Publication(whipAddress(CALL, name, claimed), feed.token);
  publication = started;
  if (claimed) refreshEnrolled();
  show("starting", "Waiting for camera and microphone");
  try {
    const media = await navigator.mediaDevices.getUserMedia(MEDIA);
    if (publication !== started) {
      release(media);
      return;
    }
    use(media);
    show("starting", "Connecting");
    started.addEventListener("state", (event) => onConnection(detailOf(event)));
    deadlineTimer = window.setTimeout(() => fail(UNREACHABLE), CONNECTING_MS);
    await started.start(media);
  } catch (error) {
    // Whoever pressed stop in the meantime is not interested in an error.
    if (publication === started) refuse(error);
  }
}

/** Whether the claimed one is enrolled is shown on the card; without an answer the card says nothing of it. */
async function refreshEnrolled() {
  try {
    board.showEnrolled((await getIdentities(feed.token)).identities);
  } catch (error) {
    complain(explain(error));
  }
}

/** @param {MediaStream} media */
function use(media) {
  stream = media;
  preview.srcObject = media;
  for (const track of media.getVideoTracks()) track.contentHint = "motion";
  for (const track of media.getTracks()) {
    track.addEventListener("ended", () => fail("The camera or microphone was taken away."));
  }
}

/** @param {MediaStream | null} media */
function release(media) {
  for (const track of media?.getTracks() ?? []) track.stop();
}

/** @param {unknown} error */
function refuse(error) {
  fail(explain(error));
  if (error instanceof ApiError && error.status === 401) feed.useToken(null);
}

/** @param {RTCPeerConnectionState} state */
function onConnection(state) {
  if (state === "connected") {
    window.clearTimeout(deadlineTimer);
    show("on", "Publishing. Speak for a few seconds.");
  }
  if (state === "disconnected") show("on", "Connection interrupted, waiting for it to return");
  if (state === "failed" || state === "closed") fail(document.body.dataset.camera === "on" ? ENDED : UNREACHABLE);
}

/** @param {string} text */
function fail(text) {
  stopCamera();
  complain(text);
}

function stopCamera() {
  window.clearTimeout(deadlineTimer);
  release(stream);
  stream = null;
  preview.srcObject = null;
  publication?.stop();
  publication = null;
  for (const card of board.cards) card.leave(Date.now());
  show("off", "");
}

/** @param {{ call: string, participant: string }} message */
const isMe = ({ call, participant }) => call === CALL && participant === name;

feed.addEventListener("message", (event) => {
  const message = detailOf(event);
  if (!("participant" in message) || !isMe(message)) return;
  if (message.type === "state" && publication) {
    skewMs = new Date(message.time).getTime() - Date.now();
    board.update({ ...message, identity: claimed || null });
    byId("no-calls").hidden = true;
  }
  // The browser notices a session that the sidecar ended only after half a minute; subscribers are told at once.
  if (message.type === "state" && hasLeft(message.reason ?? "") && document.body.dataset.camera === "on") fail(ENDED);
  if (message.type === "finding") {
    findings.apply(message, Date.now() + skewMs);
    byId("findings-title").hidden = false;
  }
});

board.addEventListener("verdict", (event) => {
  const { verdict, reason } = detailOf(event);
  write(byId("announcer"), `You: ${verdictLabel(verdict)}. ${phrase(verdict, reason).title}.`);
});

byId("start").addEventListener("click", startCamera);
byId("stop").addEventListener("click", () => {
  stopCamera();
  byId("start").focus();
});
window.addEventListener("pagehide", () => publication?.stop());
window.setInterval(() => findings.tick(Date.now() + skewMs), TICK_MS);
write(byId("name"), name);
show("off", "");
startWithWords(startFeed, "problem");
