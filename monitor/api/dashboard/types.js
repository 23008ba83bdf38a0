/**
 * The shapes that travel between the sidecar and these pages: exactly the public API's, nothing added.
 *
 * @typedef {"bona_fide" | "suspect" | "alert" | "inconclusive"} Verdict
 *
 * @typedef {object} CurveEvidence
 * @property {number[]} offsets_ms shifts between lips and voice that were tried, in milliseconds
 * @property {Array<number | null>} agreement mean agreement at each shift, a cosine in [-1, 1]; null where too little was left
 * @property {number} [best_offset_ms]
 * @property {number} [agreement_max]
 * @property {number} [speech_seconds]
 *
 * @typedef {object} DetectorScore
 * @property {number | null} score higher is more suspicious
 * @property {number | null} p_value
 * @property {string | null} reason why there is no score
 * @property {Object<string, unknown>} [evidence]
 *
 * @typedef {object} ParticipantState one participant now; a `state` message, or an entry of GET /v1/calls with its call added
 * @property {string} call
 * @property {string} participant
 * @property {string | null} [identity] an entry of GET /v1/calls has it
 * @property {string} [time] RFC 3339; a state message has it
 * @property {string} [since] RFC 3339; an entry of GET /v1/calls has it
 * @property {Verdict} verdict
 * @property {string | null} reason
 * @property {Object<string, DetectorScore>} scores
 * @property {number} [statistic] the e-detector's accumulated evidence
 * @property {number} [threshold] the value at which an alert is raised
 * @property {Object<string, number>} [quality]
 *
 * @typedef {object} FindingMessage
 * @property {"finding"} type
 * @property {number} seq
 * @property {string} id one id for the whole episode
 * @property {"opened" | "updated" | "closed"} action
 * @property {string} call
 * @property {string} participant
 * @property {string | null} identity
 * @property {string} time RFC 3339
 * @property {Verdict} verdict
 * @property {string | null} reason
 * @property {Object<string, DetectorScore>} scores
 * @property {Object<string, unknown>} evidence
 */

export {};
