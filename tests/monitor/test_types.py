"""The values that travel between the stages: words that a detector adds, and what a picture says of itself."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from monitor.types import ClockState, Reason, Stamp, VideoFrame


def test_a_reason_may_be_a_word_of_a_detector_from_elsewhere() -> None:
    reason = Reason("blinks_too_rarely")
    assert (reason.value, reason.name, str(reason)) == ("blinks_too_rarely", "BLINKS_TOO_RARELY", "blinks_too_rarely")
    assert Reason("blinks_too_rarely") is reason
    assert copy.deepcopy(reason) is pickle.loads(pickle.dumps(reason)) is reason
    assert reason not in list(Reason)


@pytest.mark.parametrize(
    "word", ["", "Blinks", "blinks rarely", "blinks-rarely", "_blinks", "blinks_", "2_blinks", 7, None]
)
def test_what_is_no_word_is_no_reason(word: object) -> None:
    with pytest.raises(ValueError, match="is not a valid Reason"):
        Reason(word)  # type: ignore[arg-type]


def test_a_picture_knows_its_size() -> None:
    stamp = Stamp(0.0, 0.0, 0.0, ClockState.MAPPED, 0.0)
    y, uv = np.zeros((48, 64), np.uint8), np.zeros((24, 32), np.uint8)
    frame = VideoFrame(stamp, y, uv, uv)
    assert (frame.width, frame.height) == (64, 48)
