"""What is said of somebody: abstentions, evidence, offsets, batches, logs, and who is told."""

from __future__ import annotations

from tests.mutate.mutation import Mutation

DECIDE = "monitor/decision/decide.py"
DETECTOR = "monitor/detectors/synchrony/detector.py"
DEPARTED = "monitor/host/departed.py"
LOGGING = "monitor/host/logging.py"

OF_DECIDE = "tests/monitor/decision/test_decide.py"
OF_DETECTOR = "tests/monitor/detectors/synchrony/test_detector.py"
OF_LOGGING = "tests/monitor/host/test_logging.py"
OF_SCENARIOS = "tests/monitor/session/test_scenarios.py"
OF_TWINS = "tests/e2e/test_twins.py"

MUTATIONS = (
    Mutation(
        "agreement of lips and voice clears somebody",
        DECIDE,
        "    clearing = [s for s in scored if not s.one_sided]\n",
        "    clearing = scored\n",
        (f"{OF_DECIDE}::test_agreement_alone_is_never_bona_fide",),
    ),
    Mutation(
        "somebody is cleared whose picture stands",
        DECIDE,
        "            return (Verdict.INCONCLUSIVE, most_useful(standing)) if standing else (Verdict.BONA_FIDE, None)\n",
        "            return Verdict.BONA_FIDE, None\n",
        (f"{OF_DECIDE}::test_nobody_is_cleared_while_a_picture_may_stand",),
    ),
    Mutation(
        "one unusual comparison does not keep from clearing",
        DECIDE,
        "if not s.one_sided or s.withholds), key=",
        "if not s.one_sided), key=",
        (f"{OF_DECIDE}::test_who_moves_unlike_themselves_is_cleared_by_nobody_and_movement_alone_clears_nobody",),
    ),
    Mutation(
        "a picture that stands is looked at",
        "monitor/session/doubt.py",
        "            self.frozen = (self._picture.is_same and main.is_as_before()) or (",
        "            self.frozen = False and (",
        (f"{OF_SCENARIOS}::test_what_nobody_can_judge_is_inconclusive_and_says_why",),
    ),
    Mutation(
        "an offset that wanders costs nothing",
        DETECTOR,
        "        wander = WANDER_COST_PER_FRAME * max(0.0, path.spread - USUAL_WANDER_FRAMES)\n",
        "        wander = 0.0\n",
        (f"{OF_DETECTOR}::test_the_price_of_wandering_is_in_the_score",),
    ),
    Mutation(
        "whoever leaves is forgotten",
        "monitor/host/remembering.py",
        "        self.memory, dropped = self.memory.put(departed)\n",
        "        dropped = (departed,)\n",
        (
            "tests/monitor/host/test_rejoin.py::test_a_dub_in_three_pieces_alerts_on_no_more_judged_media_than_in_one",
            "tests/monitor/host/test_rejoin.py::test_a_finding_goes_on_under_its_id_and_is_told_of_at_once",
        ),
    ),
    Mutation(
        "fields that tell are logged",
        LOGGING,
        "REDACTED if is_sensitive(key) else clean(value, texts)",
        "clean(value, texts)",
        (f"{OF_LOGGING}::test_telling_fields_are_blanked",),
    ),
    Mutation(
        "what is logged is not looked through",
        LOGGING,
        "        shorten_exception,\n        redactor(secrets),\n",
        "        shorten_exception,\n",
        (f"{OF_LOGGING}::test_a_secret_in_the_event_itself",),
    ),
    Mutation(
        "exceptions are logged with their text",
        LOGGING,
        '        event["error"] = type(error).__name__\n',
        '        event["error"] = repr(error)\n',
        (
            f"{OF_LOGGING}::test_exceptions_are_a_type_and_a_place",
            "tests/monitor/host/test_host.py::test_names_and_messages_of_errors_stay_out_of_the_log",
        ),
    ),
    Mutation(
        "libraries log candidates and SDP",
        LOGGING,
        "        logging.getLogger(quiet).setLevel(logging.WARNING)\n",
        "        pass\n",
        (f"{OF_LOGGING}::test_level_and_chatty_libraries",),
    ),
    Mutation(
        "any number of messages waits for a subscriber",
        "monitor/alerts/push.py",
        "capacity: int = CAPACITY_MESSAGES",
        "capacity: int = 1 << 30",
        ("tests/monitor/alerts/test_push.py::test_too_slow_at_the_257th_waiting_message",),
    ),
)
