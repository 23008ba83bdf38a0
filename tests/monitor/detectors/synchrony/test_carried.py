"""Lips and voice of a publication that goes on in another: judged at once, counted once, at an offset of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decision.calibration import Calibration
from monitor.detectors.base import Hop, Remembering
from monitor.detectors.synchrony.carried import Carried, carry, settle
from monitor.detectors.synchrony.detector import SynchronyDetector
from monitor.detectors.synchrony.familiar import FamiliarSpeech
from monitor.detectors.synchrony.live import LiveSynchrony
from monitor.detectors.synchrony.offset import MIN_CLEARNESS, Track, follow, offset_curve
from monitor.types import FloatArray, Reason
from monitor.window.window import Window, WindowBuffer
from tests.monitor.detectors.synchrony.test_detector import recalled, unit, window
from tests.monitor.detectors.synchrony.test_live import table

DETECTOR = SynchronyDetector()


def begun(lips: FloatArray, voice: FloatArray, frames: int) -> Window:
    """The window of a publication that has brought so many frames."""
    full = window(lips, voice)
    new = np.arange(125) >= 125 - frames
    young = replace(full, lips_mask=new, voice_mask=new, speech=new, pictures=new, age=frames / 25, end=frames / 25)
    return replace(young, memory=young)


def genuine(offset: int = 0) -> Carried:
    lips = unit(7, 400)
    return carry(recalled(lips, np.roll(lips, offset, axis=0)), 15, None)


def dub() -> Carried:
    return carry(recalled(unit(8, 400), unit(9, 400)), 15, None)


@given(st.floats(-1.0, 8.0))
def test_what_is_left_of_a_window_shrinks_as_the_new_one_fills(seconds: float) -> None:
    left, gone = dub().after(seconds), min(max(0, round(25 * seconds)), 125)
    assert left.count == 125 - gone
    assert np.array_equal(left.frames, [*dub().frames[gone:], *np.zeros(gone)])
    assert left.speech_seconds == pytest.approx((125 - gone) / 25)


def test_a_dub_is_judged_from_its_first_half_second_on() -> None:
    new = begun(unit(1), unit(2), 12)
    assert DETECTOR.score(new).reason is Reason.WARMING_UP
    score = DETECTOR.score(new, before=dub().after(0.5))
    assert score.value is not None
    assert score.value > -0.3
    assert score.evidence["speech_seconds"] == pytest.approx(0.48 + 4.5, abs=0.05)
    assert score.evidence["agreement_max"] == pytest.approx(-score.value, abs=1e-3)


def test_without_speech_of_its_own_nothing_from_before_is_judged_again() -> None:
    silent = begun(unit(1), unit(2), 4)
    assert DETECTOR.score(silent, before=dub().after(0.2)).reason is Reason.WARMING_UP


def test_after_a_window_of_its_own_nothing_from_before_is_in_the_score() -> None:
    lips = unit(3)
    score = DETECTOR.score(begun(lips, lips, 125), before=dub().after(5.0))
    assert score.value == pytest.approx(-1.0, abs=1e-5)


@settings(deadline=None)
@given(st.integers(-10, 10), st.integers(-10, 10), st.integers(12, 125))
def test_somebody_genuine_on_another_device_is_not_accused(before: int, now: int, frames: int) -> None:
    lips = unit(4)
    new = begun(lips, np.roll(lips, now, axis=0), frames)
    score = DETECTOR.score(new, before=genuine(before).after(frames / 25))
    assert score.value is not None
    assert score.value < -0.7
    assert score.evidence["accumulated"]["wander_ms"] == 0


def test_where_lips_and_voice_never_met_the_search_goes_on() -> None:
    """Free to choose, a second of a dub finds an offset that flatters it."""
    before, new = dub(), begun(unit(1), unit(2), 25)
    assert before.curve.clearness < MIN_CLEARNESS
    free, _ = follow(new.memory or new)
    held, _ = settle(*follow(new.memory or new), 25, before)
    assert held.best == before.curve.best != free.best
    assert DETECTOR.score(new, before=before).evidence["accumulated"]["agreement"] < free.agreement


def test_lips_and_voice_that_meet_outweigh_a_search_that_found_nothing() -> None:
    lips = unit(4)
    new = begun(lips, np.roll(lips, 6, axis=0), 50)
    held, _ = settle(*follow(new.memory or new), 25, dub())
    assert held.offset == 6


def test_the_path_of_an_offset_that_was_never_clear_goes_on() -> None:
    own = offset_curve(begun(unit(1), unit(2), 100))
    before = replace(dub(), path=Track((-9, 9, -9, 9)))
    _, path = settle(own, Track((0, 0)), 25, before)
    assert path.offsets == (9, -9, 9, 0, 0)
    _, path = settle(own, Track((0, 0)), 25, replace(genuine(), path=before.path))
    assert path.offsets == (0, 0)
    full = offset_curve(recalled(unit(1, 400), unit(2, 400)).memory or begun(unit(1), unit(2), 1))
    assert settle(full, Track((1,)), 25, before)[1].offsets == (1,)


def test_pieces_of_seconds_hand_on_what_is_left_of_those_before() -> None:
    first = dub()
    second = carry(begun(unit(1), unit(2), 25), 15, first.after(1.0))
    assert second.count >= 125 - 15
    assert np.array_equal(second.frames[:100], first.frames[25:])
    assert not np.array_equal(second.frames[100:], first.frames[100:])
    third = carry(begun(unit(5), unit(6), 1), 15, second.after(5.0))
    assert third.count <= 1


def test_a_sound_too_brief_to_be_known_is_judged_with_what_was_known() -> None:
    zeros = np.zeros(32, np.float32)
    nothing = FamiliarSpeech(zeros, np.eye(32, 2, dtype=np.float32), np.ones(2, np.float32), 1.0, -1.0, "x")
    detector = SynchronyDetector(familiar=nothing)
    assert detector.score(begun(unit(1), unit(2), 25), before=dub().after(1.0)).value is not None
    assert detector.score(begun(unit(1), unit(2), 60), before=dub().after(2.4)).reason is Reason.UNUSUAL_SOUND


def live() -> LiveSynchrony:
    made = LiveSynchrony(Calibration((table(2.0), table(5.0))))
    made.restart(WindowBuffer())
    assert isinstance(made, Remembering)
    return made


def test_a_publication_hands_on_its_newest_window_even_where_nothing_could_be_judged() -> None:
    one, other = live(), live()
    assert one.remember() is None
    one.score(Hop(recalled(unit(8, 400), unit(9, 400)), obstacle=Reason.NO_FACE))
    memory = one.remember()
    assert memory is not None
    assert np.array_equal(memory.frames, dub().frames)
    other.recall(memory)
    assert other.remember() is memory
    new = begun(unit(1), unit(2), 25)
    assert live().score(Hop(new, elapsed=1.0)).reason is Reason.WARMING_UP
    score = other.score(Hop(new, elapsed=1.0))
    assert score.p_value is not None
    assert score.p_value < 0.1
    again = other.remember()
    assert again is not None
    assert again.count >= 125 - 15


def test_of_two_pairings_that_is_handed_on_in_which_lips_and_voice_meet() -> None:
    lips = unit(3, 400)
    made, agreeing = live(), recalled(lips, lips)
    made.score(Hop(replace(recalled(lips, unit(4, 400)), by_arrival=agreeing)))
    memory = made.remember()
    assert memory is not None
    assert memory.curve.agreement == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("missing", ["lips", "voice"])
def test_whoever_shows_or_says_nothing_hands_on_what_is_left(missing: str) -> None:
    """No vector was ever made of what is missing: it has no length either."""
    made, full = live(), recalled(unit(8, 400), unit(9, 400))
    none, never = np.zeros((len(full.lips), 0), np.float32), np.zeros(len(full.lips), np.bool_)
    if missing == "lips":
        young = replace(full, lips=none, lips_mask=never)
    else:
        young = replace(full, voice=none, voice_mask=never)
    made.score(Hop(young, obstacle=Reason.SILENCE))
    assert made.remember() is None
    made.recall(dub())
    made.score(Hop(young, obstacle=Reason.SILENCE, elapsed=1.0))
    left = made.remember()
    assert left is not None
    assert left.count == 100
