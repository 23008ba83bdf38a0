/** The page that enrols people: clips and a consent go in, progress and a quality report or the reasons against it come out. */

import { ApiError, cancelEnrolment, decide, getBearer, getEnrolment, getEnrolments, getIdentities } from "./api.js";
import { byId, detailOf, h, notify, write } from "./dom.js";
import { JobView, isOver } from "./job.js";
import { connect } from "./link.js";
import { EraseDialog, People } from "./people.js";
import { Upload, sha256 } from "./upload.js";

const POLL_MS = 1_000;
const MEBIBYTE = 1024 * 1024;

const { feed, start } = connect();
const people = new People(byId("people"), byId("no-people"));
const view = new JobView();
const dialog = new EraseDialog();
const form = /** @type {HTMLFormElement} */ (byId("form"));
/** @type {import("./types.js").Policy | null} */
let policy = null;
/** @type {Upload | null} */
let upload = null;
/** @type {string | null} the enrolment that is watched */
let watched = null;
let timer = 0;

/** @param {string} id */
const field = (id) => /** @type {HTMLInputElement} */ (byId(id));
/** @param {string} id */
const text = (id) => field(id).value.trim();
/** @param {string} id */
const files = (id) => [...(field(id).files ?? [])];

/** @param {string} words empty hides it */
const complain = (words) => notify("problem", words);

/** @param {unknown} error */
function explain(error) {
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
  if (error.status === 401) return "The sidecar refused the token. Enter it again.";
  return error.retryAfter ? `${error.message} (in ${error.retryAfter} seconds)` : error.message;
}

/**
 * @param {() => Promise<void>} work
 * @returns {Promise<void>}
 */
async function attempt(work) {
  try {
    await work();
  } catch (error) {
    complain(explain(error));
    if (error instanceof ApiError && error.status === 401) feed.useToken(null);
  }
}

async function refresh() {
  const answer = await getIdentities(feed.token);
  policy = answer.policy;
  people.show(answer.identities);
  for (const id of ["by", "given"]) field(id).required = policy.consent_required;
  byId("approval").hidden = !policy.second_approver;
}

/** Shows what the token may see. */
async function arrive() {
  const { subject, permissions } = await getBearer(feed.token);
  write(byId("subject"), subject);
  await refresh();
  if (permissions.includes("enrol")) await resume();
}

/** Goes on with an enrolment that was begun before this page was loaded. */
async function resume() {
  if (watched || upload) return;
  const running = (await getEnrolments(feed.token)).filter((job) => !isOver(job)).at(-1);
  if (running) watch(running);
}

/** @param {import("./types.js").EnrolmentJob} job */
function watch(job) {
  window.clearTimeout(timer);
  watched = isOver(job) ? null : job.id;
  view.show(job);
  lock(watched !== null);
  if (watched) timer = window.setTimeout(() => attempt(poll), POLL_MS);
  else attempt(refresh);
}

async function poll() {
  const id = watched;
  if (!id) return;
  try {
    watch(await getEnrolment(feed.token, id));
  } catch (error) {
    if (!(error instanceof ApiError) || error.status) lose();
    else timer = window.setTimeout(() => attempt(poll), POLL_MS);
    throw error;
  }
}

function lose() {
  watched = null;
  view.hide();
  lock(false);
}

/** @param {boolean} busy */
function lock(busy) {
  /** @type {HTMLButtonElement} */ (byId("enrol")).disabled = busy;
}

/** @returns {string} what is wrong with what was entered, or nothing */
function objection() {
  const bytes = files("clips").reduce((sum, { size }) => sum + size, 0);
  if (policy && bytes > policy.max_upload_bytes) {
    return `These clips have ${Math.ceil(bytes / MEBIBYTE)} MB together; at most ${Math.floor(policy.max_upload_bytes / MEBIBYTE)} are taken.`;
  }
  return "";
}

/** @returns {Promise<import("./upload.js").Consent | null>} */
async function consent() {
  const [evidence] = files("evidence");
  if (!text("by")) return null;
  return {
    by: text("by"),
    given: text("given"),
    ...(text("expires") ? { expires: text("expires") } : {}),
    ...(text("purpose") ? { purpose: text("purpose") } : {}),
    ...(evidence ? { evidence_sha256: await sha256(evidence) } : {}),
  };
}

/** @returns {import("./upload.js").Details | null} what is said of the person beside */
function details() {
  const tags = text("tags")
    .split(/[\s,]+/)
    .filter(Boolean);
  const verifyBy = text("verify-by");
  if (!tags.length && !verifyBy) return null;
  return { ...(tags.length ? { tags } : {}), ...(verifyBy ? { verify_by: verifyBy } : {}) };
}

async function enrol() {
  const wrong = objection();
  complain(wrong);
  if (wrong) return;
  if (feed.token === null) {
    feed.useToken(null);
    return;
  }
  const order = { name: text("name"), consent: await consent(), details: details(), clips: files("clips") };
  lock(true);
  view.sending(order.name, 0);
  const started = new Upload(feed.token, order, (share) => {
    if (upload === started) view.sending(order.name, share);
  });
  upload = started;
  try {
    const job = await started.send();
    upload = null;
    watch(job);
  } catch (error) {
    upload = null;
    lose();
    throw error;
  }
}

async function cancel() {
  if (upload) {
    upload.stop();
    return;
  }
  const id = watched;
  if (!id) return;
  await cancelEnrolment(feed.token, id);
  window.clearTimeout(timer);
  lose();
}

/** @param {{ name: string, act: import("./people.js").Act }} order */
async function act({ name, act: what }) {
  complain("");
  if (what === "erase" && !(await dialog.ask(name))) return;
  const answer = await decide(feed.token, name, what);
  if (what === "erase") showReceipt(answer.receipt);
  await refresh();
}

/** @param {{ id: string, erased: string, audit: number, audit_hash: string }} receipt */
function showReceipt(receipt) {
  byId("receipt").hidden = false;
  byId("receipt").replaceChildren(
    h("b", {}, "Erased. "),
    "Keep this receipt; it names nobody. ",
    h("code", {}, `${receipt.id} of ${receipt.erased}, audit line ${receipt.audit}, ${receipt.audit_hash}`),
  );
}

function listClips() {
  const size = (/** @type {number} */ bytes) => `${Math.max(1, Math.round(bytes / MEBIBYTE))} MB`;
  byId("chosen").replaceChildren(...files("clips").map((clip) => h("li", {}, `${clip.name}, ${size(clip.size)}`)));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(enrol);
});
people.addEventListener("act", (event) => attempt(() => act(detailOf(event))));
view.addEventListener("cancel", () => attempt(cancel));
field("clips").addEventListener("change", listClips);
feed.addEventListener("message", (event) => {
  if (detailOf(event).type === "hello") attempt(arrive);
});
// Who enrols and who approves need not be shown any call.
feed.addEventListener("phase", (event) => {
  if (detailOf(event).phase === "barred") attempt(arrive);
});
field("given").value = new Date().toISOString().slice(0, 10);
byId("job").append(view.element);
start();
