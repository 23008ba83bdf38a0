"""Which frames are set aside, and for what."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.types import Reason
from monitor.window.doubts import REASONS, Doubt, commonest, doubts_of
from monitor.window.window import WindowBuffer


def reaches(**at: tuple[int, int]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Twelve frames; by the name of a doubt, the frame at which it is known and how many frames it takes back."""
    columns = np.zeros((12, 3), np.float32)
    for name, (frame, reach) in at.items():
        columns[frame, Doubt[name] - 1] = reach
    return columns


def test_frames_up_to_the_one_that_knows_are_set_aside() -> None:
    assert doubts_of(reaches()).tolist() == [0] * 12
    assert doubts_of(reaches(STILL_MOUTH=(6, 3))).tolist() == [0] * 4 + [1] * 3 + [0] * 5


def test_a_reach_beyond_the_first_frame_ends_there() -> None:
    assert doubts_of(reaches(PICTURE_FROZEN=(1, 9))).tolist() == [2] * 2 + [0] * 10


def test_of_several_doubts_the_highest_counts() -> None:
    found = doubts_of(reaches(STILL_MOUTH=(9, 8), PICTURE_FROZEN=(7, 4), SEVERAL_FACES=(5, 2)))
    assert found.tolist() == [0, 0, 1, 1, 3, 3, 2, 2, 1, 1, 0, 0]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_a_frame_is_set_aside_if_one_within_reach_says_so(reach: list[int]) -> None:
    columns = np.zeros((len(reach), 3), np.float32)
    columns[:, 0] = reach
    expected = [any(t - reach[t] < n <= t for t in range(len(reach))) for n in range(len(reach))]
    assert (doubts_of(columns) == Doubt.STILL_MOUTH).tolist() == expected


@pytest.mark.parametrize("doubt", list(REASONS))
def test_the_commonest_doubt_is_the_reason(doubt: Doubt) -> None:
    other = Doubt(doubt % 3 + 1)
    assert commonest(np.array([doubt, doubt, other, 0, 0, 0], np.uint8)) is REASONS[doubt]


def test_no_doubt_is_no_reason() -> None:
    assert commonest(np.zeros(4, np.uint8)) is None
    assert commonest(np.zeros(0, np.uint8)) is None
    assert set(REASONS.values()) == {Reason.STILL_MOUTH, Reason.PICTURE_FROZEN, Reason.SEVERAL_FACES}


def filled() -> WindowBuffer:
    """Ten seconds of lips and voice."""
    buffer, yes = WindowBuffer(), np.ones(250, np.bool_)
    buffer.push_lips(0, np.ones((250, 2), np.float32), yes)
    buffer.push_voice(0, np.ones((250, 3), np.float32), yes)
    return buffer


def doubting(buffer: WindowBuffer, at: int, reach: int, doubt: Doubt = Doubt.STILL_MOUTH) -> None:
    reaches = np.zeros((1, 3), np.float32)
    reaches[0, doubt - 1] = reach
    buffer.push_doubts(at, reaches)


def test_frames_in_doubt_are_masked_in_window_and_memory() -> None:
    buffer = filled()
    doubting(buffer, 140, 10)
    window = buffer.recall(16.0)
    assert window.memory is not None
    assert np.flatnonzero(window.doubts).tolist() == list(range(6, 16))
    assert np.flatnonzero(~window.lips_mask).tolist() == list(range(6, 16))
    assert not window.lips[6:16].any()
    assert window.face_mask.all()
    assert (window.face_fraction, window.speech_seconds) == (1.0, 4.6)
    assert np.flatnonzero(window.memory.doubts).tolist() == [len(window.memory.doubts) - 125 + n for n in range(6, 16)]


def test_a_doubt_that_comes_before_its_lips_counts() -> None:
    buffer = filled()
    doubting(buffer, 255, 10)
    assert np.flatnonzero(buffer.window().doubts).tolist() == [121, 122, 123, 124]


def test_without_a_face_there_is_no_doubt() -> None:
    buffer = filled()
    buffer.push_lips(200, np.ones((50, 2), np.float32), np.zeros(50, np.bool_))
    doubting(buffer, 204, 10)
    window = buffer.window()
    assert np.flatnonzero(window.doubts).tolist() == list(range(70, 75))
    assert window.face_fraction == 0.6


def test_motion_in_doubt_is_not_valid() -> None:
    buffer = filled()
    buffer.push_motion(0, np.ones((250, 4), np.float32), np.ones(250, np.bool_))
    doubting(buffer, 240, 5, Doubt.SEVERAL_FACES)
    stretch = buffer.moving()
    assert (np.flatnonzero(~stretch.valid[-125:]) - 125 + stretch.end).tolist() == list(range(236, 241))
