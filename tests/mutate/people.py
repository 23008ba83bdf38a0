"""Who somebody is taken for: names that look alike, faces under another name, recordings that are played again."""

from __future__ import annotations

from tests.mutate.mutation import Mutation

LOOKALIKE = "tests/monitor/identity/test_lookalike.py"
CLAIMED = "tests/monitor/identity/test_claimed.py"
WATCHING = "tests/monitor/host/test_watching.py"
REJOIN = "tests/monitor/host/test_rejoin.py"
FINGERPRINT = "tests/monitor/detectors/synchrony/test_fingerprint.py"
REPLAY = "monitor/detectors/synchrony/replay.py"
OWN = "tests/monitor/detectors/synchrony/test_own.py"

MUTATIONS = (
    Mutation(
        "a claim that looks like an enrolled name is compared with nobody",
        "monitor/identity/vault/registry.py",
        "        return Lookup(self._vault, self.resembled(name) or name)\n",
        "        return Lookup(self._vault, name)\n",
        (
            "tests/monitor/identity/vault/test_registry.py"
            "::test_a_claim_that_looks_like_an_enrolled_name_is_compared_with_that_person",
        ),
    ),
    Mutation(
        "whom somebody claims to be is not asked",
        "monitor/host/hosting.py",
        "        claimed=tenancy.claimed,\n",
        "",
        (f"{LOOKALIKE}::test_the_list_of_calls_shows_it",),
    ),
    Mutation(
        "a name in full is nobody's",
        "monitor/identity/claimed.py",
        "one.likeness.match is Match.FULL)\n",
        "one.likeness.match is Match.NONE)\n",
        (
            f"{CLAIMED}::test_who_joins_under_a_protected_name_is_compared_with_that_person",
            f"{CLAIMED}::test_calls_say_who_is_taken_to_claim_whom_and_by_what",
        ),
    ),
    Mutation(
        "of two of one name the first is picked",
        "monitor/identity/claimed.py",
        "        if len(named) == 1 and is_sure:\n",
        "        if is_sure:\n",
        (f"{CLAIMED}::test_of_two_of_one_name_nobody_is_picked",),
    ),
    Mutation(
        "a session is begun for another identity than is told",
        "monitor/host/host.py",
        "self._factory, claimed.key)",
        "self._factory, key)",
        (f"{CLAIMED}::test_calls_say_who_is_taken_to_claim_whom_and_by_what",),
    ),
    Mutation(
        "by what an identity is claimed is not in the chain",
        "monitor/alerts/chain.py",
        "*([later] if later else [])]",
        "]",
        ("tests/monitor/alerts/test_chain.py::test_by_what_somebody_claims_to_be_whom_is_in_the_chain",),
    ),
    Mutation(
        "nobody is told that watching has stopped",
        "monitor/host/watching.py",
        "            self._tell(self._message(change), change.at)\n",
        "            pass\n",
        (f"{WATCHING}::test_everybody_is_told_when_watching_stops_and_goes_on",),
    ),
    Mutation(
        "hops do not reach the coverage map",
        "monitor/host/host.py",
        "        self.watching.hop(message)\n",
        "",
        (f"{WATCHING}::test_everybody_is_told_when_watching_stops_and_goes_on",),
    ),
    Mutation(
        "a way in that breaks takes everybody out of the call",
        "monitor/host/ingest.py",
        "is_lost=failed and not self._closing",
        "is_lost=False",
        (f"{WATCHING}::test_a_source_that_breaks_loses_nobody_and_that_is_told",),
    ),
    Mutation(
        "what is told goes only to whoever wants states",
        "monitor/alerts/push.py",
        "        if self.phase in (Phase.REPLAYING, Phase.LIVE):\n",
        "        if self._states and self.phase in (Phase.REPLAYING, Phase.LIVE):\n",
        (f"{WATCHING}::test_everybody_is_told_when_watching_stops_and_goes_on",),
    ),
    Mutation(
        "a gap is told again and again",
        "monitor/host/coverage.py",
        "or watch.told is not None or",
        "or",
        ("tests/monitor/host/test_coverage.py::test_what_keeps_media_from_being_seen_is_told_after_two_seconds",),
    ),
    Mutation(
        "characters that are not seen tell names apart",
        "monitor/identity/lookalike.py",
        '("Cf", "Cc") or character in UNSEEN',
        '("Cf", "Cc") and character in UNSEEN',
        (f"{LOOKALIKE}::test_a_name_is_taken_for_another",),
    ),
    Mutation(
        "nobody looks for a face under another name",
        "monitor/host/remembering.py",
        "        return self.memory.seeks(key, since)\n",
        "        return False\n",
        (f"{REJOIN}::test_the_same_face_goes_on_under_another_name_and_another_face_does_not",),
    ),
    Mutation(
        "evidence of another name counts whole",
        "monitor/decision/rejoin.py",
        "    cap = LINKED_SHARE * state.config.threshold\n",
        "    cap = state.config.threshold\n",
        (
            "tests/monitor/decision/test_rejoin.py"
            "::test_the_same_face_under_another_name_goes_on_with_a_twentieth_of_the_threshold_at_most",
        ),
    ),
    Mutation(
        "what a detector remembers does not go along",
        "monitor/host/departed.py",
        "finding, joins, latest.memories)",
        "finding, joins)",
        (f"{REJOIN}::test_what_a_detector_remembers_goes_along_with_the_evidence",),
    ),
    Mutation(
        "a recording that is played again is not known",
        REPLAY,
        "        if self._difference > MAX_DIFFERENCE or score.p_value is None:\n",
        "        if score.p_value is not None or score.p_value is None:\n",
        (f"{FINGERPRINT}::test_a_recording_in_a_call_is_evidence_clears_nobody_and_says_what_it_is",),
    ),
    Mutation(
        "recordings are not looked for in calls",
        "monitor/detectors/synchrony/live.py",
        "        return self._replay.mark(score, window, hop.part) if hop.live else score\n",
        "        return score\n",
        (f"{FINGERPRINT}::test_a_recording_in_a_call_is_evidence_clears_nobody_and_says_what_it_is",),
    ),
    Mutation(
        "nobody is judged by their own agreement",
        "monitor/detectors/synchrony/judge.py",
        "    if own is None:\n",
        "    if own is None or own is not None:\n",
        (f"{OWN}::test_the_evidence_says_by_whose_agreement_a_window_was_judged",),
    ),
    Mutation(
        "the reference of a claimed person is not read for their agreement",
        "monitor/detectors/synchrony/live.py",
        "speech_of(pairing, before), hop.part)",
        "speech_of(pairing, before), None)",
        (f"{OWN}::test_the_evidence_says_by_whose_agreement_a_window_was_judged",),
    ),
    Mutation(
        "another day is expected to be like that of the enrolment",
        "monitor/detectors/synchrony/own.py",
        "        session = SESSION_SHARE * people.between\n",
        "        session = 0.0\n",
        (f"{OWN}::test_p_values_of_genuine_people_are_honest_for_few_windows_and_for_many",),
    ),
    Mutation(
        "a poor line is not forgiven",
        "monitor/detectors/synchrony/own.py",
        "        poorest = min(self.rungs, key=lambda rung: rung.level)\n",
        "        poorest = recorded\n",
        (f"{OWN}::test_windows_of_a_rung_move_all_windows",),
    ),
    Mutation(
        "agreement of other encoders counts",
        "monitor/detectors/synchrony/judge.py",
        "own.encoders == self._encoders\n",
        "True\n",
        (f"{OWN}::test_the_evidence_says_by_whose_agreement_a_window_was_judged",),
    ),
    Mutation(
        "lips are not shown on the rungs at enrolment",
        "monitor/identity/enrolment/enrol.py",
        "{name: on_rungs(learner.collect(seconds), models) for",
        "{name: learner.collect(seconds) for",
        ("tests/monitor/identity/enrolment/test_rung_lips.py::test_enrolment_shows_lips_on_the_rungs",),
    ),
)
