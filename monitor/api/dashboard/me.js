/** The page of a protected person: where their name is claimed, and what is said of whoever claims it. */

import { ApiError, getOwnStatus } from "./api.js";
import { byId, detailOf, h, notify, write } from "./dom.js";
import { Entry } from "./entry.js";
import { day } from "./format.js";
import { startWithWords } from "./link.js";
import { phrase, verdictLabel } from "./words.js";

const REFRESH_MS = 5_000;
const entry = new Entry(byId("entry"));
/** @type {string | null} */
let token = null;

/**
 * @param {string} id of a list; what stands in its place while it is empty has `no-` before it
 * @param {Array<{ call: string, participant: string, when: string, verdict: string, reason: string | null }>} rows
 */
function list(id, rows) {
  byId(`no-${id}`).hidden = rows.length > 0;
  const items = rows.map(({ call, participant, when, verdict, reason }) =>
    h(
      "li",
      { class: "card" },
      h("h3", {}, `${participant} in call ${call}`),
      h("p", {}, `${verdictLabel(verdict)}. ${phrase(verdict, reason).title}.`),
      h("p", { class: "help" }, new Date(when).toLocaleString()),
    ),
  );
  byId(id).replaceChildren(...items);
}

/** @param {import("./types.js").OwnStatus} status */
function show({ identity, enrolment, calls, findings }) {
  const until = enrolment?.consent_expires ? `until ${day(enrolment.consent_expires)}` : "without an end";
  const words = enrolment ? `is enrolled for: ${enrolment.purpose}. The consent holds ${until}.` : "is not enrolled.";
  write(byId("enrolment"), `${identity} ${words}`);
  list(
    "calls",
    calls.map((one) => ({ ...one, when: one.since })),
  );
  list(
    "own-findings",
    findings.map((one) => ({ ...one, when: one.time })),
  );
}

async function refresh() {
  if (token === null) return;
  try {
    show(await getOwnStatus(token));
    notify("notice", "");
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) {
      token = null;
      entry.ask(true);
    } else notify("notice", error instanceof Error ? error.message : String(error));
  }
}

entry.addEventListener("token", (event) => {
  token = detailOf(event);
  if (token === null) entry.ask(false);
  else refresh().then(() => (token === null ? undefined : entry.nameTenant(token)));
});
window.setInterval(refresh, REFRESH_MS);
startWithWords(() => entry.begin(), "notice");
