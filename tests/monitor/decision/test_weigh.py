"""Bets on different aspects of somebody multiply; whoever falls silent costs the others nothing."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.decision.decide import DecisionConfig, Transition, advance, initial, judge_clip
from monitor.decision.evalues import VOICE_STAKES, VOICE_STEPS, claimed, power, shaped
from monitor.decision.weigh import weigh
from monitor.detectors.voiceprint.entry import load_voices
from monitor.types import Aspect, BriefScore, Reason, Score, Verdict

FACE_FLOOR, VOICE_FLOOR, LIPS_FLOOR = 1 / 85, 1 / 104, 1 / 141
KAPPA = 0.5


def compared(aspect: Aspect, p: float | None, name: str = "") -> Score:
    reason = Reason.TOO_LITTLE_SPEECH if p is None else None
    value, cause = None if p is None else 1.0, Reason(f"{aspect}_differs")
    one_sided = aspect is not Aspect.FACE
    return Score(name or aspect, value, reason, p, one_sided, cause=cause, needs_identity=True, aspect=aspect)


def alone(p: float) -> float:
    return (claimed(p) + power(p, KAPPA)) / 2


def of_voice(p: float) -> float:
    return claimed(p, VOICE_STEPS, VOICE_STAKES)


def lips(p: float | None, brief: float | None) -> Score:
    reason = Reason.SILENCE if p is None else None
    value, part = None if p is None else 1.0, BriefScore(brief and 1.0, brief, 2.0)
    return Score("synchrony", value, reason, p, True, cause=Reason("lips_differ"), aspect=Aspect.LIPS, brief=part)


def test_a_bet_on_a_comparison_is_an_e_value_that_reaches_the_least_p_values() -> None:
    for bet in (claimed, of_voice):
        values = np.array([bet((n + 0.5) / 5_000) for n in range(5_000)])
        assert values.mean() <= 1.0
        assert (np.diff(values) <= 1e-12).all()
    assert claimed(FACE_FLOOR) > 20
    assert of_voice(VOICE_FLOOR) > 35
    # The table that is shipped reaches the first step, the one that is made for it.
    assert 1 / (load_voices().people + 1) <= VOICE_STEPS[0]
    assert claimed(0.5) < 0.5
    with pytest.raises(ValueError, match="p-value"):
        claimed(0.0)


def test_aspects_multiply_and_stand_alone_beside() -> None:
    bet = weigh([compared(Aspect.FACE, FACE_FLOOR), compared(Aspect.VOICE, VOICE_FLOOR)], KAPPA)
    face, voice = claimed(FACE_FLOOR), of_voice(VOICE_FLOOR)
    assert bet.windows == pytest.approx(face * voice)
    assert bet.alone == {"face": alone(FACE_FLOOR), "voice": voice}
    assert bet.brief is None
    assert bet.blame == Reason("voice_differs")
    # Two that look at the same may depend on each other in any way.
    twice = weigh([compared(Aspect.FACE, FACE_FLOOR), compared(Aspect.FACE, 1.0, "other")], KAPPA)
    assert twice.windows == pytest.approx((face + claimed(1.0)) / 2)


def test_who_abstains_is_a_factor_of_one() -> None:
    silent = weigh([compared(Aspect.FACE, FACE_FLOOR), compared(Aspect.VOICE, None)], KAPPA)
    assert silent == weigh([compared(Aspect.FACE, FACE_FLOOR)], KAPPA)
    nobody = weigh([compared(Aspect.FACE, None), compared(Aspect.VOICE, None)], KAPPA)
    assert (nobody.windows, nobody.made, nobody.blame) == (None, False, None)


def test_lips_count_by_their_brief_windows_and_beside_a_comparison_by_whole_ones_too() -> None:
    only = weigh([lips(LIPS_FLOOR, 0.004)], KAPPA)
    assert (only.windows, only.brief, only.alone) == (None, shaped(0.004), {})
    both = weigh([lips(LIPS_FLOOR, 0.004), compared(Aspect.VOICE, VOICE_FLOOR)], KAPPA)
    # Half of what lips bet stays in hand: lips that fit their own voice must not make up for another's.
    assert both.windows == pytest.approx((0.5 + 0.5 * claimed(LIPS_FLOOR)) * of_voice(VOICE_FLOOR))
    fitting = weigh([lips(1.0, 1.0), compared(Aspect.VOICE, VOICE_FLOOR)], KAPPA)
    assert (fitting.windows or 0.0) > 0.5 * of_voice(VOICE_FLOOR)
    assert both.brief == only.brief
    assert both.alone == {"voice": of_voice(VOICE_FLOOR)}
    assert weigh([lips(LIPS_FLOOR, 0.004), compared(Aspect.VOICE, None)], KAPPA).windows is None


def test_what_looks_at_nothing_that_is_known_is_averaged_as_ever() -> None:
    ears = Score("ears", 1.0, None, 0.01, cause=Reason("ears_differ"), needs_identity=True)
    assert weigh([ears], KAPPA).windows == power(0.01, KAPPA)
    beside = weigh([ears, compared(Aspect.FACE, FACE_FLOOR)], KAPPA)
    assert beside.windows == pytest.approx((power(0.01, KAPPA) + claimed(FACE_FLOOR)) / 2)
    silent = weigh([ears, compared(Aspect.FACE, None)], KAPPA)
    assert silent.windows == pytest.approx((power(0.01, KAPPA) + 1) / 2)


def first_alert(*scores: Score, seconds: float = 90.0) -> float | None:
    """Seconds to a finding of somebody of whom this is said at every hop from the fifth second on."""
    state = initial(DecisionConfig())
    for hop in range(round(2 * seconds)):
        state, decision = advance(state, hop / 2, scores if hop >= 9 else ())
        if decision.transition is Transition.OPENED:
            return hop / 2
    return None


def test_another_person_under_a_name_is_told_after_a_second_window() -> None:
    person = compared(Aspect.FACE, FACE_FLOOR), compared(Aspect.VOICE, VOICE_FLOOR)
    assert first_alert(*person) == pytest.approx(10.0, abs=1.0)
    # A voice that is somewhat alike slows it down and does not hide it.
    like = compared(Aspect.FACE, FACE_FLOOR), compared(Aspect.VOICE, 0.17)
    assert 10.0 < (first_alert(*like) or 99.0) <= 25.0
    assert 10.0 < (first_alert(person[0]) or 99.0) <= 25.0
    voice = compared(Aspect.FACE, 0.6), compared(Aspect.VOICE, VOICE_FLOOR)
    assert 10.0 < (first_alert(*voice) or 99.0) <= 20.0


def test_who_fits_in_most_respects_is_not_accused_for_one_that_is_unusual() -> None:
    # What the least favourable tenth of genuine people keeps to for long (`monitor.decision.calibration`).
    for unusual in (0.17, 0.3):
        usual = compared(Aspect.FACE, 0.6), compared(Aspect.MOVEMENT, 0.3)
        assert first_alert(*usual, compared(Aspect.VOICE, unusual), seconds=600.0) is None
    once = compared(Aspect.FACE, 0.3), compared(Aspect.VOICE, 0.03)
    assert first_alert(*once, seconds=20.0) is None


def test_a_recording_of_four_is_suspect_for_a_voice_alone() -> None:
    usual = [compared(Aspect.FACE, 0.6), compared(Aspect.MOVEMENT, 0.5), lips(0.7, 0.7)]
    config = DecisionConfig()
    verdict, reason = judge_clip(config, [*usual, compared(Aspect.VOICE, VOICE_FLOOR)], Verdict.INCONCLUSIVE)
    assert (verdict, reason) == (Verdict.SUSPECT, Reason("voice_differs"))
    verdict, _ = judge_clip(config, [*usual, compared(Aspect.VOICE, 0.03)], Verdict.INCONCLUSIVE)
    assert verdict is not Verdict.SUSPECT
    # Alone it has all of the weight, and somebody of an unknown kind a quarter.
    assert judge_clip(config, [compared(Aspect.VOICE, 0.05)], Verdict.INCONCLUSIVE)[0] is Verdict.SUSPECT
    ears = Score("ears", 1.0, None, 0.03, cause=Reason("ears_differ"))
    assert judge_clip(config, [ears, ears], Verdict.INCONCLUSIVE)[0] is not Verdict.SUSPECT
