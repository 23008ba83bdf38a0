/**
 * The shapes that travel between the sidecar and these pages: exactly the public API's, nothing added.
 *
 * @typedef {object} Phrase
 * @property {string} title a few words
 * @property {string} detail a sentence or two
 *
 * @typedef {object} ReasonWords
 * @property {string} title
 * @property {string | null} brief stands beside one detector's score where the title would say too much there
 * @property {Object<string, string>} details by verdict
 *
 * @typedef {object} DetectorInfo
 * @property {string} name
 * @property {string} label one word
 * @property {string} question what it asks
 * @property {boolean} one_sided whether a low score clears nobody
 * @property {boolean} needs_identity whether it compares with the reference of the claimed identity
 * @property {string | null} aspect what of a person it looks at
 * @property {string} fits what is said where nothing is unusual
 * @property {string} cause the reason of its suspicions
 *
 * @typedef {object} Words GET /v1/words
 * @property {Object<string, Phrase & { label: string }>} verdicts
 * @property {Object<string, ReasonWords>} reasons
 * @property {Object<string, string>} claims by what somebody is taken to claim an identity
 * @property {Object<string, Phrase>} contrasts by the `contrast` in a detector's evidence
 * @property {DetectorInfo[]} detectors in the order to show them in
 *
 * @typedef {"bona_fide" | "suspect" | "alert" | "inconclusive"} Verdict
 *
 * @typedef {object} SynchronyEvidence
 * @property {number[]} offsets_ms shifts between lips and voice that were tried, in milliseconds
 * @property {Array<number | null>} agreement mean agreement at each shift, a cosine in [-1, 1]; null where too little was left
 * @property {number} [best_offset_ms]
 * @property {number} [agreement_max]
 * @property {number} [speech_seconds]
 * @property {string} [judged_by] `own`, the enrolled person's agreement, or `people`
 * @property {{ windows: number, rung: string }} [own] what an own agreement rests on
 *
 * @typedef {object} DetectorScore
 * @property {number | null} score higher is more suspicious
 * @property {number | null} p_value
 * @property {string | null} reason why there is no score
 * @property {unknown} [evidence] the detector's JSON
 *
 * @typedef {object} ParticipantState one participant now; a `state` message, or an entry of GET /v1/calls with its call added
 * @property {string} call
 * @property {string} participant
 * @property {string | null} [identity] an entry of GET /v1/calls has it
 * @property {string | null} [claim] by what they claim it; an entry of GET /v1/calls has it
 * @property {string | null} [name] what the platform says they are called; an entry of GET /v1/calls has it
 * @property {string[]} [in_doubt] who may be meant, and is not compared with; an entry of GET /v1/calls has it
 * @property {string | null} [resembles] who is enrolled and has a name like theirs; an entry of GET /v1/calls has it
 * @property {string | null} [continues] who left and has the same face; an entry of GET /v1/calls has it
 * @property {Coverage | null} [coverage] how much they were watched; an entry of GET /v1/calls has it
 * @property {string} [time] RFC 3339; a state message has it
 * @property {string} [since] RFC 3339; an entry of GET /v1/calls has it
 * @property {Verdict} verdict
 * @property {string | null} reason
 * @property {Object<string, DetectorScore>} scores
 * @property {number} [statistic] the e-detector's accumulated evidence
 * @property {number} [threshold] the value at which an alert is raised
 * @property {Object<string, number>} [quality]
 *
 * @typedef {object} Coverage how much of a participant's time in the call was watched
 * @property {boolean} watched now
 * @property {string | null} reason why not
 * @property {number} seconds
 * @property {number} watched_seconds
 *
 * @typedef {object} FindingMessage
 * @property {"finding"} type
 * @property {number} seq
 * @property {string} id one id for the whole episode
 * @property {"opened" | "updated" | "closed"} action
 * @property {string} call
 * @property {string} participant
 * @property {string | null} identity
 * @property {string | null} claim by what they claim it
 * @property {string} time RFC 3339
 * @property {Verdict} verdict
 * @property {string | null} reason
 * @property {Object<string, DetectorScore>} scores
 * @property {Object<string, unknown>} evidence
 *
 * @typedef {object} Case what was done about a finding
 * @property {"open" | "acknowledged" | "closed"} state
 * @property {string | null} assignee
 * @property {"true" | "false" | "unsure" | null} label
 * @property {string | null} labelled_by
 * @property {Array<{ id: string, action: string, state: string, details: Object<string, unknown> }>} actions
 * @property {Array<{ id: string, outcome: string | null }>} challenges of verifications on another channel
 *
 * @typedef {object} CaseEvent
 * @property {number} seq
 * @property {string} event
 * @property {string} time RFC 3339
 * @property {string} actor
 * @property {Object<string, unknown>} details
 *
 * @typedef {object} EventOrder
 * @property {"acknowledged" | "assigned" | "noted" | "labelled"} event
 * @property {string | null} [to]
 * @property {string} [text]
 * @property {"true" | "false" | "unsure"} [label]
 *
 * @typedef {object} Conditions the last minute before a change; empty in findings of earlier versions
 * @property {number} [statistic]
 * @property {number} [threshold]
 * @property {Object<string, number>} [quality]
 * @property {Object<string, [number, number]>} [ranges]
 * @property {Array<[number, number | null, string]>} [points] seconds before, statistic, verdict
 *
 * @typedef {FindingMessage & { conditions: Conditions }} Change
 * @typedef {FindingMessage & { opened: string, changes: number, found: string | null, case: Case }} FoundFinding
 *
 * @typedef {object} FoundPage
 * @property {FoundFinding[]} findings
 * @property {number | null} next
 * @property {number[]} [tampered]
 *
 * @typedef {object} WholeFinding GET /v1/findings/{finding}
 * @property {string} id
 * @property {Change[]} changes
 * @property {number[]} tampered
 * @property {Case} case
 * @property {CaseEvent[]} events
 * @property {number[]} events_tampered
 *
 * @typedef {object} Measure
 * @property {number | null} value in standard deviations of genuine looks; higher is more suspicious
 * @property {number | null} p_value
 * @property {number | null} [distance]
 *
 * @typedef {object} WorstPair outlines of the two looks that fit least
 * @property {Array<[number, number]>} live
 * @property {Array<[number, number]>} reference
 * @property {number} [age_seconds]
 * @property {number | null} [distance]
 *
 * @typedef {object} PairwiseEvidence
 * @property {Measure} [identity]
 * @property {Measure} [artefact]
 * @property {Measure | null} [within_call]
 * @property {string} [rung] the call conditions that it was compared in
 * @property {string} [made] RFC 3339, when the reference was made
 * @property {WorstPair | null} [worst_pair]
 *
 * @typedef {object} Moment three seconds of a call
 * @property {number} at their middle, in seconds of the call
 * @property {number | null} value above 1 is farther from the person than nine in ten genuine people are
 *
 * @typedef {object} PersonaEvidence
 * @property {Measure} [distance]
 * @property {Measure} [companion]
 * @property {number} [speech_seconds]
 * @property {number} [windows]
 * @property {Moment[]} [timeline]
 *
 * @typedef {object} VersionInfo one enrolment of an identity
 * @property {number} version
 * @property {string} state
 * @property {string} enrolled RFC 3339
 * @property {string} enrolled_by
 * @property {{ by: string, given: string, expires: string | null, purpose: string, evidence_sha256: string | null }} consent
 * @property {string[]} tags what policies group the person by
 * @property {boolean} verify_by whether it is known how they are reached on another channel
 *
 * @typedef {object} IdentityInfo
 * @property {string} name
 * @property {"active" | "pending_approval" | "expired"} state
 * @property {VersionInfo} version
 * @property {number | null} pending
 * @property {number} versions
 *
 * @typedef {object} Policy
 * @property {boolean} consent_required
 * @property {number} consent_days
 * @property {boolean} second_approver
 * @property {number} max_upload_bytes
 *
 * @typedef {object} Bearer whose token it is, and what it may do
 * @property {string} subject
 * @property {string[]} permissions
 * @property {string} tenant
 * @property {boolean} shared whether the sidecar serves several tenants
 *
 * @typedef {object} OwnSession
 * @property {string} subject
 * @property {string[]} permissions
 * @property {string} expires RFC 3339
 * @property {string} csrf goes along with what changes something
 *
 * @typedef {object} SessionState GET /v1/session
 * @property {boolean} sign_in whether one can sign in here
 * @property {OwnSession | null} session
 *
 * @typedef {object} OwnStatus GET /v1/me
 * @property {string} identity
 * @property {{ state: string, consent_given: string, consent_expires: string | null, purpose: string } | null} enrolment
 * @property {Array<{ call: string, participant: string, since: string, verdict: Verdict, reason: string | null }>} calls
 * @property {Array<{ seq: number, action: string, call: string, participant: string, time: string, verdict: Verdict, reason: string | null }>} findings
 *
 * @typedef {object} EnrolmentJob
 * @property {string} id
 * @property {string} identity
 * @property {"waiting" | "running" | "done" | "refused" | "failed" | "cancelled"} state
 * @property {string} stage
 * @property {number} progress 0 to 1
 * @property {string[]} reasons
 * @property {Object<string, any>} [quality]
 * @property {Array<Array<[number, number]>>} [poses] outlines
 * @property {{ version: number, state: string }} [enrolled]
 */

export {};
