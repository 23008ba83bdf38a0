"""The values that travel between the stages: words that a detector adds, and what a picture says of itself."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.types import (
    MAX_NOTE_LENGTH,
    Action,
    ActionKind,
    ClockState,
    ParticipantKey,
    Reason,
    Stamp,
    VideoFrame,
    parse_rfc3339,
    rfc3339,
)


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


def test_the_same_participant_who_claims_another_identity_is_another_key() -> None:
    assert ParticipantKey("standup", "alice") == ParticipantKey("standup", "alice", None)
    assert len({ParticipantKey("standup", "alice"), ParticipantKey("standup", "alice", "Alice")}) == 2


def test_times_are_written_in_utc_with_milliseconds() -> None:
    local = datetime(2026, 3, 1, 14, 0, 0, 250_999, timezone(timedelta(hours=2)))
    assert rfc3339(local) == "2026-03-01T12:00:00.250Z"


@given(st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC)))
def test_a_time_is_read_as_it_was_written(time: datetime) -> None:
    again = parse_rfc3339(rfc3339(time))
    assert again == time.replace(microsecond=time.microsecond // 1000 * 1000)
    assert again.utcoffset() == timedelta(0)


def test_only_what_is_said_to_a_room_has_a_text() -> None:
    assert Action(ActionKind.SAY, "Please wait.").text == "Please wait."
    assert Action(ActionKind.MUTE).text == ""
    for kind, text in ((ActionKind.SAY, " "), (ActionKind.MUTE, "why"), (ActionKind.SAY, "x" * (MAX_NOTE_LENGTH + 1))):
        with pytest.raises(ValueError, match="a note has 1 to"):
            Action(kind, text)
