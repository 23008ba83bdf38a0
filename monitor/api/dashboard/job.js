/** One enrolment as it goes: how far it is, why it was refused, or how good the reference is and which poses it holds. */

import { h, pairs, s, write } from "./dom.js";
import { drawing, isOutline } from "./outline.js";

/** @typedef {import("./types.js").EnrolmentJob} EnrolmentJob */

const POSE_PX = 64;
const POSE_MARGIN_PX = 3;

/** @type {Object<string, string>} */
const TITLES = {
  uploading: "Sending the clips",
  waiting: "Waiting for its turn",
  running: "Enrolling",
  done: "Enrolled",
  refused: "These clips do not make a reference",
  failed: "The enrolment failed",
  cancelled: "Stopped",
};
const DETAILS = {
  approval: "Somebody else must approve it before calls are compared with it.",
  active: "From now on, calls that claim this identity are compared with it.",
};

/** @param {EnrolmentJob} job */
export const isOver = ({ state }) => !["waiting", "running"].includes(state);

/**
 * The quality report in words.
 * @param {Object<string, any>} quality
 * @returns {Array<[string, string]>}
 */
export function qualityReport(quality) {
  /** @type {Array<[string, string | null]>} */
  const rows = [
    ["Face seen", seconds(quality.face_seconds)],
    ["Speech heard", seconds(quality.speech_seconds)],
    ["Moments chosen", count(quality.gallery, quality.shots)],
    ["Face height", typeof quality.face_px === "number" ? `${Math.round(quality.face_px)} px` : null],
    ["Head turned", range(quality.yaw)],
    ["Head tilted", range(quality.pitch)],
    ["Movement learnt from", quality.movement_seconds ? `${seconds(quality.movement_seconds)} of speech` : null],
    ["Voice learnt from", quality.voice_seconds ? `${seconds(quality.voice_seconds)} of speech` : null],
    ["Voice above noise", voiceWords(quality)],
    ["Call conditions", Array.isArray(quality.rungs) ? quality.rungs.join(", ") : null],
    [
      "One person throughout",
      typeof quality.one_person_checked === "boolean" ? checked(quality.one_person_checked) : null,
    ],
  ];
  return rows.flatMap(([name, words]) => (words === null ? [] : [/** @type {[string, string]} */ ([name, words])]));
}

/** @param {Object<string, any>} quality */
function voiceWords({ voice_above_noise_db: above, voice_band_hz: band }) {
  if (typeof above !== "number" || typeof band !== "number") return null;
  return `${Math.round(above)} dB, up to ${(band / 1000).toFixed(1)} kHz`;
}

/** @param {string} text */
function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** @param {unknown} value */
function seconds(value) {
  return typeof value === "number" ? `${Math.round(value)} s` : null;
}

/**
 * @param {unknown} chosen
 * @param {unknown} all
 */
function count(chosen, all) {
  return typeof chosen === "number" && typeof all === "number" ? `${chosen} of ${all} looks` : null;
}

/** @param {unknown} value */
function range(value) {
  if (!Array.isArray(value) || !value.every(Number.isFinite)) return null;
  const [low, high] = value.map((degrees) => `${Math.round(degrees)}°`.replace("-", "−"));
  return `${low} to ${high}`;
}

/** @param {boolean} isChecked */
function checked(isChecked) {
  return isChecked ? "checked" : "could not be checked: no identity encoder is installed";
}

/** @param {import("./outline.js").Outline} points */
function pose(points) {
  const box = { viewBox: `0 0 ${POSE_PX} ${POSE_PX}`, width: POSE_PX, height: POSE_PX };
  const size = POSE_PX - 2 * POSE_MARGIN_PX;
  const face = drawing(points, POSE_MARGIN_PX, POSE_MARGIN_PX, size, "enrolled");
  return s("svg", { class: "pose", ...box, "aria-hidden": "true" }, face);
}

/** The view; dispatches `cancel`. `element` goes into the page. */
export class JobView extends EventTarget {
  constructor() {
    super();
    this.title = h("h2", {});
    this.stage = h("p", { class: "help", role: "status" });
    this.bar = h("progress", { max: 1, value: 0, "aria-label": "Progress" });
    this.cancel = h("button", { class: "button small", type: "button" }, "Stop");
    this.advice = h("p", { class: "figure-title", hidden: true }, "What would make it better");
    this.reasons = h("ul", { class: "reasons" });
    this.quality = h("dl", { class: "scores" });
    this.poses = h("div", { class: "poses" });
    this.posesFigure = h("figure", { hidden: true }, h("p", { class: "figure-title" }, "Accepted poses"), this.poses);
    this.element = h(
      "section",
      { class: "card job", hidden: true, "aria-label": "This enrolment" },
      h("div", { class: "heading" }, this.title, this.cancel),
      this.bar,
      this.stage,
      this.quality,
      this.advice,
      this.reasons,
      this.posesFigure,
    );
    this.cancel.addEventListener("click", () => this.dispatchEvent(new CustomEvent("cancel")));
  }

  /**
   * @param {string} name
   * @param {number} share of the clips that was sent
   */
  sending(name, share) {
    this.frame(
      "uploading",
      name,
      share,
      share < 1 ? `${Math.floor(share * 100)} %` : "Waiting for the sidecar's answer",
    );
    this.advice.hidden = true;
    this.list([]);
    this.report({}, []);
  }

  /** @param {EnrolmentJob} job */
  show(job) {
    const after = job.enrolled?.state === "pending_approval" ? DETAILS.approval : DETAILS.active;
    this.frame(job.state, job.identity, job.progress, job.state === "done" ? after : job.stage);
    this.cancel.hidden = isOver(job);
    this.bar.hidden = isOver(job);
    const advice = job.quality?.advice ?? [];
    this.advice.hidden = !advice.length;
    this.list(job.state === "done" ? advice : job.reasons);
    this.report(job.quality ?? {}, job.poses ?? []);
  }

  hide() {
    this.element.hidden = true;
  }

  /**
   * @param {string} state
   * @param {string} name
   * @param {number} share
   * @param {string} stage
   */
  frame(state, name, share, stage) {
    this.element.hidden = false;
    this.element.dataset.state = state;
    write(this.title, `${TITLES[state] ?? state}: ${name}`);
    write(this.stage, sentence(stage));
    this.bar.hidden = false;
    this.bar.value = share;
    this.cancel.hidden = false;
  }

  /** @param {string[]} reasons */
  list(reasons) {
    this.reasons.replaceChildren(...reasons.map((reason) => h("li", {}, sentence(reason))));
  }

  /**
   * @param {Object<string, any>} quality
   * @param {Array<unknown>} poses
   */
  report(quality, poses) {
    pairs(this.quality, qualityReport(quality));
    const outlines = poses.filter(isOutline);
    this.posesFigure.hidden = !outlines.length;
    this.poses.replaceChildren(...outlines.map(pose));
  }
}
