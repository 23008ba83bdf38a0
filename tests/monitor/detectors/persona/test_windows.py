"""Windows of three seconds: only such as show and say enough, told from the recording's own neutral."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.detectors.persona.windows import WINDOW_STEPS, counts, windows_of
from monitor.types import BoolArray, FloatArray

Recording = tuple[FloatArray, BoolArray, FloatArray, BoolArray]


def recording(steps: int = 100) -> Recording:
    motion = np.tile(np.arange(steps, dtype=np.float32)[:, None], (1, 8))
    return motion, np.ones(steps, np.bool_), np.ones((steps, 4), np.float32), np.ones(steps, np.bool_)


def test_windows_are_cut_a_hop_apart_and_told_from_the_neutral() -> None:
    windows = windows_of(*recording(), hop=12, start=10.0)
    assert [window.start for window in windows] == pytest.approx([10, 10.48, 10.96])
    assert windows[1].motion.shape == (WINDOW_STEPS, 8)
    assert windows[1].motion[0, 0] == 12 - 49.5
    assert windows[1].voice.shape == (WINDOW_STEPS, 4)
    assert windows[0].seconds == 3
    assert {str(windows[0].motion.dtype), str(windows[0].voice.dtype)} == {"float32"}


def test_another_neutral_may_be_given() -> None:
    assert windows_of(*recording(), hop=25, neutral=np.full(8, 5, np.float32))[1].motion[0, 0] == 20


def test_what_is_not_valid_is_zero() -> None:
    motion, valid, voice, speech = recording()
    valid[5:10] = False
    window = windows_of(motion, valid, voice, speech, 100)[0]
    assert not window.motion[5:10].any()
    assert not window.voice[5:10].any()
    assert not window.speech[5:10].any()
    assert window.mask.tolist() == valid[:WINDOW_STEPS].tolist()
    assert window.seconds == pytest.approx(70 / 25)


@pytest.mark.parametrize(("valid", "spoken", "wanted"), [(60, 38, True), (59, 38, False), (75, 37, False)])
def test_a_window_shows_and_says_enough_or_does_not_count(valid: int, spoken: int, wanted: bool) -> None:
    steps = np.arange(WINDOW_STEPS)
    assert counts(steps < valid, steps < spoken) is wanted
    motion, _, voice, _ = recording(WINDOW_STEPS)
    assert bool(windows_of(motion, steps < valid, voice, steps < spoken, 5)) is wanted


def test_a_short_recording_has_no_window() -> None:
    assert windows_of(*recording(WINDOW_STEPS - 1), hop=1) == []
