from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decision.decide import (
    REASON_PRIORITY,
    Decision,
    DecisionConfig,
    DecisionState,
    Transition,
    advance,
    initial,
    judge_clip,
    most_useful,
)
from monitor.detectors.registry import phrases
from monitor.types import Reason, Score, Verdict
from tests.examples_count import examples
from tests.monitor.decision.playing import CONFIG, LIPS, persona, play, silent, sync


def transitions(decisions: list[Decision]) -> list[Transition]:
    return [d.transition for d in decisions if d.transition]


def opened() -> DecisionState:
    state, decisions = play([[sync(0.01)]] * 120)
    assert transitions(decisions)[0] is Transition.OPENED
    return state


def test_the_levels_follow_from_one_number() -> None:
    assert CONFIG.threshold == pytest.approx(7200.0)
    assert CONFIG.suspect_level == pytest.approx(7200.0**0.5)
    assert DecisionConfig(false_alerts_per_hour=1.0, window_seconds=10.0).threshold == pytest.approx(360.0)


@pytest.mark.parametrize(
    ("settings_", "words"),
    [
        ({"false_alerts_per_hour": 0.0}, r"false_alerts_per_hour must lie in \(0, 720\)"),
        ({"false_alerts_per_hour": 720.0}, "false_alerts_per_hour"),
        ({"false_alerts_per_hour": float("nan")}, "false_alerts_per_hour"),
        ({"hop_seconds": 0.0}, "hop_seconds"),
        ({"hop_seconds": 6.0}, "hop_seconds"),
        ({"window_seconds": -1.0}, "hop_seconds"),
        ({"kappa": 1.0}, "kappa"),
    ],
)
def test_bad_settings_are_refused(settings_: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        DecisionConfig(**settings_)


@pytest.mark.parametrize("reason", [Reason.PICTURE_FROZEN, Reason.STILL_MOUTH])
def test_nobody_is_cleared_while_a_picture_may_stand(reason: Reason) -> None:
    scores = [silent(reason), persona(0.9)]
    _, (decision,) = play([scores])
    assert (decision.verdict, decision.reason) == (Verdict.INCONCLUSIVE, reason)
    assert judge_clip(CONFIG, scores, Verdict.INCONCLUSIVE) == (Verdict.INCONCLUSIVE, reason)
    # What is unusual stays the reason, and evidence against somebody counts as ever.
    _, (unusual,) = play([[silent(reason), persona(0.05)]])
    assert unusual.reason is Reason.MOVES_UNLIKE_ENROLLED
    _, decisions = play([[silent(reason), persona(0.001)]] * 60)
    assert decisions[-1].verdict is Verdict.ALERT


def test_another_abstention_does_not_keep_anybody_from_being_cleared() -> None:
    _, (decision,) = play([[silent(Reason.SILENCE), persona(0.9)]])
    assert decision.verdict is Verdict.BONA_FIDE


def test_agreement_alone_is_never_bona_fide() -> None:
    _, decisions = play([[sync(1.0)]] * 60)
    assert {(d.verdict, d.reason) for d in decisions} == {(Verdict.INCONCLUSIVE, Reason.NOT_ENROLLED)}
    assert not transitions(decisions)


def test_a_two_sided_detector_can_say_bona_fide() -> None:
    _, decisions = play([[sync(0.6), persona(0.6)]] * 20)
    assert {(d.verdict, d.reason) for d in decisions} == {(Verdict.BONA_FIDE, None)}


def test_the_reason_is_what_keeps_the_two_sided_detector_from_speaking() -> None:
    _, (decision,) = play([[sync(0.6), silent(Reason.NO_FACE, "persona", False)]])
    assert (decision.verdict, decision.reason) == (Verdict.INCONCLUSIVE, Reason.NO_FACE)


@pytest.mark.parametrize(("p", "verdict"), [(0.2, Verdict.BONA_FIDE), (0.1, Verdict.INCONCLUSIVE)])
def test_who_moves_unlike_themselves_is_cleared_by_nobody_and_movement_alone_clears_nobody(
    p: float, verdict: Verdict
) -> None:
    moved = replace(persona(p), one_sided=True, withholds=True)
    _, (decision,) = play([[sync(0.9), compared(0.9), moved]])
    assert decision.verdict is verdict
    assert decision.reason is (Reason.MOVES_UNLIKE_ENROLLED if verdict is Verdict.INCONCLUSIVE else None)
    _, (alone,) = play([[sync(0.9), moved]])
    assert alone.verdict is Verdict.INCONCLUSIVE


def test_what_was_known_before_takes_no_part() -> None:
    alone, _ = play([[sync(0.02)]] * 10)
    for reason in (Reason.NOT_ENROLLED, Reason.NOT_CALIBRATED, Reason.REFERENCE_OUTDATED):
        beside, _ = play([[sync(0.02), silent(reason, "persona")]] * 10)
        assert beside.running.statistic == alone.running.statistic


def test_a_detector_that_never_scored_costs_the_others_nothing_and_one_that_did_is_neutral() -> None:
    alone, _ = play([[sync(0.02)]] * 20)
    never, _ = play([[sync(0.02), silent(Reason.TOO_LITTLE_SPEECH, "persona")]] * 20)
    assert never.running.statistic == alone.running.statistic
    once, _ = play([[sync(0.02), persona(0.5)], *[[sync(0.02), silent(Reason.TOO_LITTLE_SPEECH, "persona")]] * 19])
    assert once.running.statistic < alone.running.statistic


def test_a_forgery_becomes_suspect_then_alert() -> None:
    _, decisions = play([[sync(0.02)]] * 120)
    verdicts = list(dict.fromkeys(d.verdict for d in decisions))
    assert verdicts == [Verdict.INCONCLUSIVE, Verdict.SUSPECT, Verdict.ALERT]
    alert = next(d for d in decisions if d.transition)
    assert (alert.transition, alert.verdict, alert.reason, alert.finding_reason) == (
        Transition.OPENED,
        Verdict.ALERT,
        LIPS,
        LIPS,
    )
    assert alert.statistic >= alert.threshold == CONFIG.threshold
    assert alert.evidence == {"synchrony": {"best_offset_ms": 40}}
    assert alert.scores == (sync(0.02),)


def one_phase() -> list[list[Score]]:
    """Two minutes in which every tenth window, so one phase of ten, is as unusual as can be, and no other is."""
    return [[sync(1e-4 if hop % 10 == 0 else 0.25)] for hop in range(240)]


def opened_at(config: DecisionConfig, hops: list[list[Score]]) -> float:
    _, decisions = play(hops, initial(config))
    return next(0.5 * hop for hop, d in enumerate(decisions) if d.transition is Transition.OPENED)


def test_one_phase_opens_nothing_in_the_first_minute_of_judged_media() -> None:
    assert opened_at(DecisionConfig(first_seconds=0.0), one_phase()) == 10.0
    assert opened_at(CONFIG, one_phase()) == 60.0
    # Silence is not judged media: the minute does not pass meanwhile.
    paused = [[silent(Reason.SILENCE)]] * 60 + one_phase()
    assert opened_at(CONFIG, paused) == 89.5


def test_what_is_closed_does_not_begin_a_first_minute_again() -> None:
    state, decisions = play([[sync(0.02)]] * 120 + [[sync(0.9)]] * 120)
    assert transitions(decisions)[-1] is Transition.CLOSED
    _, again = play(one_phase(), state, time=120.0)
    assert next(0.5 * hop for hop, d in enumerate(again) if d.transition is Transition.OPENED) == 10.0


def test_two_phases_half_a_window_apart_open_a_finding_at_once() -> None:
    both = [[sync(1e-4 if hop % 5 == 0 else 0.25)] for hop in range(60)]
    assert opened_at(CONFIG, both) <= 15.0


def test_hops_without_a_transition_carry_no_finding() -> None:
    _, decisions = play([[sync(0.02)]] * 120)
    for decision in decisions:
        assert bool(decision.transition) == bool(decision.finding_reason) == bool(decision.evidence)


def test_a_finding_is_updated_when_evidence_has_grown_tenfold() -> None:
    _, decisions = play([[sync(0.001)]] * 70)
    at = [(i, d) for i, d in enumerate(decisions) if d.transition]
    assert [d.transition for _, d in at][:3] == [Transition.OPENED, Transition.UPDATED, Transition.UPDATED]
    for (_, before), (_, after) in pairwise(at):
        assert after.statistic >= 10 * before.statistic


def test_a_finding_is_updated_every_half_minute_otherwise() -> None:
    _, decisions = play([[sync(0.25)]] * 180, opened(), time=60.0)
    at = [i for i, d in enumerate(decisions) if d.transition]
    assert set(transitions(decisions)) == {Transition.UPDATED}
    assert [b - a for a, b in pairwise(at)] == [60] * (len(at) - 1)


def test_a_finding_closes_once_the_evidence_has_faded_and_starts_anew() -> None:
    state, decisions = play([[sync(0.9)]] * 160, opened(), time=60.0)
    at = [i for i, d in enumerate(decisions) if d.transition is Transition.CLOSED]
    assert len(at) == 1
    closed = decisions[at[0]]
    assert (closed.verdict, closed.reason, closed.finding_reason) == (Verdict.INCONCLUSIVE, Reason.NOT_ENROLLED, LIPS)
    assert {d.verdict for d in decisions[: at[0]]} == {Verdict.ALERT}
    assert {d.verdict for d in decisions[at[0] :]} == {Verdict.INCONCLUSIVE}
    assert decisions[at[0] + 1].statistic < 1
    assert 20 <= 0.5 * at[0] <= 60
    _, again = play([[sync(0.01)]] * 120, state, time=200.0)
    assert transitions(again)[0] is Transition.OPENED


def test_relapses_keep_a_finding_open() -> None:
    """Five good seconds between bad windows are no recovery."""
    hops = ([[sync(0.9)]] * 10 + [[sync(0.01)]] * 20) * 10
    _, decisions = play(hops, opened(), time=60.0)
    assert Transition.CLOSED not in transitions(decisions)


def test_calm_must_last() -> None:
    state = opened()
    hops = 0
    while state.calm < 5.0:
        state, _ = advance(state, 60.0 + 0.5 * hops, [sync(0.9)])
        hops += 1
    for hop in range(12):
        state, decision = advance(state, 60.0 + 0.5 * (hops + hop), [sync(0.001)])
        assert decision.verdict is Verdict.ALERT
    assert state.calm == 0.0


def test_silence_is_no_recovery() -> None:
    state = opened()
    hops = 0
    while state.calm < 5.0:
        state, _ = advance(state, 60.0 + 0.5 * hops, [sync(0.9)])
        hops += 1
    state, silence = play([[silent(Reason.SILENCE)]] * 60, state, time=60.0 + 0.5 * hops)
    assert state.calm == 5.0
    assert not transitions(silence)


def test_a_finding_closes_after_a_minute_without_media_and_says_why() -> None:
    _, decisions = play([[silent(Reason.NO_VIDEO)]] * 150, opened(), time=60.0)
    closed = [i for i, d in enumerate(decisions) if d.transition is Transition.CLOSED]
    assert closed == [119]
    assert (decisions[119].verdict, decisions[119].reason) == (Verdict.INCONCLUSIVE, Reason.NO_VIDEO)
    assert decisions[119].evidence == {}
    assert decisions[118].verdict is Verdict.ALERT


def test_a_finding_is_not_updated_without_anything_new() -> None:
    state, silence = play([[silent(Reason.SILENCE)]] * 100, opened(), time=60.0)
    assert not transitions(silence)
    _, (decision,) = play([[sync(0.25)]], state, time=110.0)
    assert decision.transition is Transition.UPDATED
    assert decision.evidence


def test_abstentions_move_nothing() -> None:
    state, before = play([[sync(0.05)]] * 40)
    _, after = play([[silent(Reason.SILENCE)]] * 100, state, time=20.0)
    assert {d.statistic for d in after} == {before[-1].statistic}


def test_a_suspicion_outlives_a_pause_but_not_a_minute() -> None:
    state, before = play([[sync(0.03)]] * 70)
    assert before[-1].verdict is Verdict.SUSPECT
    state, pause = play([[silent(Reason.SILENCE)]] * 130, state, time=35.0)
    assert (pause[100].verdict, pause[100].reason) == (Verdict.SUSPECT, LIPS)
    assert (pause[125].verdict, pause[125].reason) == (Verdict.INCONCLUSIVE, Reason.SILENCE)
    _, after = play([[sync(0.03)]], state, time=100.0)
    assert after[0].verdict is Verdict.SUSPECT


def test_a_detector_nobody_is_enrolled_for_does_not_dilute() -> None:
    alone, _ = play([[sync(0.02)]] * 10)
    beside, _ = play([[sync(0.02), silent(Reason.NOT_ENROLLED, "persona", False)]] * 10)
    faceless = [[sync(0.02), persona(0.9)], *[[sync(0.02), silent(Reason.NO_FACE, "persona", False)]] * 9]
    diluted, _ = play(faceless)
    assert beside.running.statistic == alone.running.statistic > diluted.running.statistic


def test_the_finding_rests_on_the_strongest_detector() -> None:
    _, by_sync = play([[persona(0.5), sync(0.001)]] * 200)
    _, by_other = play([[persona(0.001), sync(0.5)]] * 200)
    assert next(d.finding_reason for d in by_sync if d.transition) is LIPS
    assert next(d for d in by_other if d.transition).finding_reason is Reason.MOVES_UNLIKE_ENROLLED


def test_steps_of_the_clock_neither_stretch_nor_break_durations() -> None:
    state = opened()
    for time in (1e6, 3.0, 1e9, 2.0):
        state, decision = advance(state, time, [silent(Reason.NO_AUDIO)])
        assert decision.transition is not Transition.CLOSED
    assert state.abstained <= 2 * CONFIG.window_seconds


# Why somebody whom a platform lists, or a lost host judged, is not watched: no detector abstains for these.
OF_THE_LIST = {
    Reason.NOT_WATCHED,
    Reason.END_TO_END_ENCRYPTED,
    Reason.CAMERA_OFF,
    Reason.MUTED,
    Reason.PAUSED_BY_USER,
    Reason.SCREEN_SHARE_ONLY,
    Reason.PHONE_AUDIO_ONLY,
    Reason.WAITING_FOR_PUBLISHER,
    Reason.SOURCE_LOST,
    Reason.HOST_LOST,
    Reason.HOST_DRAINED,
}


def test_reasons_are_ranked_and_complete() -> None:
    causes = {reason for reason, phrase in phrases().items() if phrase.consequence}
    assert set(REASON_PRIORITY) == set(Reason) - causes - OF_THE_LIST
    assert most_useful([]) is Reason.WARMING_UP
    assert most_useful([Reason("room_is_dark"), None]) is Reason("room_is_dark")
    assert most_useful([Reason("room_is_dark"), Reason.SILENCE]) is Reason.SILENCE
    assert most_useful([None]) is Reason.WARMING_UP
    assert most_useful([Reason.SILENCE, Reason.NO_VIDEO, None]) is Reason.NO_VIDEO
    _, decisions = play([[], [silent(Reason.SILENCE), silent(Reason.NO_FACE, "persona", False)]])
    assert [d.reason for d in decisions] == [Reason.WARMING_UP, Reason.NO_FACE]


HOP = st.lists(
    st.one_of(
        st.sampled_from([1e-6, 0.01, 0.2, 0.5, 1.0]).map(sync),
        st.sampled_from([1e-6, 0.5, 1.0]).map(persona),
        st.sampled_from(REASON_PRIORITY).map(silent),
    ),
    max_size=3,
)


@settings(max_examples=examples(100))
@given(st.lists(st.tuples(HOP, st.integers(1, 40)), min_size=1, max_size=12))
def test_the_invariants_hold_on_any_stream(script: list[tuple[list[Score], int]]) -> None:
    _, decisions = play([scores for scores, times in script for _ in range(times)])
    is_open = False
    for decision in decisions:
        expected = (None, Transition.UPDATED, Transition.CLOSED) if is_open else (None, Transition.OPENED)
        assert decision.transition in expected
        is_open = decision.transition is not Transition.CLOSED and (is_open or decision.transition is Transition.OPENED)
        assert (decision.verdict is Verdict.ALERT) == is_open
        assert decision.verdict is not Verdict.INCONCLUSIVE or decision.reason is not None
        scored = [s for s in decision.scores if s.p_value is not None]
        assert decision.verdict is not Verdict.BONA_FIDE or any(not s.one_sided for s in scored)
        assert 0 <= decision.statistic < float("inf")


@pytest.mark.parametrize(
    ("scores", "worst", "said"),
    [
        ([sync(0.5)], Verdict.INCONCLUSIVE, (Verdict.INCONCLUSIVE, Reason.NOT_ENROLLED)),
        ([sync(0.05)], Verdict.INCONCLUSIVE, (Verdict.SUSPECT, LIPS)),
        ([sync(0.051)], Verdict.INCONCLUSIVE, (Verdict.INCONCLUSIVE, Reason.NOT_ENROLLED)),
        ([sync(0.05), persona(0.5)], Verdict.INCONCLUSIVE, (Verdict.BONA_FIDE, None)),
        ([sync(0.025), persona(0.5)], Verdict.INCONCLUSIVE, (Verdict.SUSPECT, LIPS)),
        ([sync(0.5)], Verdict.SUSPECT, (Verdict.SUSPECT, LIPS)),
        ([sync(0.5)], Verdict.ALERT, (Verdict.ALERT, LIPS)),
        ([silent(Reason.NO_FACE)], Verdict.INCONCLUSIVE, (Verdict.INCONCLUSIVE, Reason.NO_FACE)),
        ([], Verdict.ALERT, (Verdict.ALERT, None)),
        ([persona(0.5)], Verdict.BONA_FIDE, (Verdict.BONA_FIDE, None)),
    ],
)
def test_a_clip_gets_one_verdict(scores: list[Score], worst: Verdict, said: tuple[Verdict, Reason | None]) -> None:
    assert judge_clip(CONFIG, scores, worst) == said


def compared(p: float, cause: Reason | None = Reason.FACE_CHANGES_UNNATURALLY) -> Score:
    return Score("pairwise", 1.0, p_value=p, cause=cause)


@pytest.mark.parametrize(
    ("score", "verdict", "reason"),
    [
        (compared(0.11), Verdict.BONA_FIDE, None),
        (compared(0.1), Verdict.INCONCLUSIVE, Reason.FACE_CHANGES_UNNATURALLY),
        (compared(0.06, None), Verdict.INCONCLUSIVE, Reason("pairwise_unusual")),
        (persona(0.06), Verdict.INCONCLUSIVE, Reason.MOVES_UNLIKE_ENROLLED),
    ],
)
def test_nobody_unusual_is_called_bona_fide(score: Score, verdict: Verdict, reason: Reason | None) -> None:
    _, (decision,) = play([[sync(0.9), score]])
    assert (decision.verdict, decision.reason) == (verdict, reason)
    assert judge_clip(CONFIG, [sync(0.9), score], Verdict.INCONCLUSIVE) == (verdict, reason)


def test_one_unusual_comparison_is_enough_not_to_clear() -> None:
    _, (decision,) = play([[persona(0.9), compared(0.08)]])
    assert (decision.verdict, decision.reason) == (Verdict.INCONCLUSIVE, Reason.FACE_CHANGES_UNNATURALLY)


def test_the_level_of_bona_fide_is_a_setting() -> None:
    config = DecisionConfig(bona_fide_p_value=0.5)
    assert judge_clip(config, [compared(0.4)], Verdict.INCONCLUSIVE)[0] is Verdict.INCONCLUSIVE
    assert judge_clip(config, [compared(0.6)], Verdict.INCONCLUSIVE) == (Verdict.BONA_FIDE, None)
