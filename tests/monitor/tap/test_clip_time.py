"""The times of recorded clips: splices, jumps, wraps and damage become one short timeline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from monitor.tap.clip_time import Scattered, Splices, Timeline, close_gaps, item_time
from monitor.types import AudioBlock, ClockState, MediaItem, Reason, Stamp, TrackFault


def placed(line: Timeline, asked: Sequence[float | None]) -> list[float | None]:
    stamps = [line.place(at, 0.04) for at in asked]
    return [stamp.capture if stamp else None for stamp in stamps]


def block(at: float) -> AudioBlock:
    return AudioBlock(Stamp(at, at, 0.0, ClockState.MAPPED, at), np.zeros(16_000, np.float32))


def fault(at: float) -> TrackFault:
    return TrackFault("video", Reason.NO_VIDEO, "the clip has no video", at)


def closed(items: Sequence[MediaItem]) -> list[float]:
    return [item_time(item) for item in close_gaps(items)]


@pytest.mark.parametrize("wild", [5e5, -3.0, -5e7, 1e15, -1e15, float("inf")])
def test_one_wild_time_is_left_out(wild: float) -> None:
    times = placed(Timeline(), [10.0, 10.04, wild, 10.12, 10.16])
    assert [at for at in times if at is not None] == pytest.approx(
        [10.0, 10.04, *([10.08] if abs(wild) > 1e8 else []), 10.12, 10.16]
    )


def test_a_jump_ahead_is_believed_at_the_second_item() -> None:
    assert placed(Timeline(), [0.0, 50.0, 50.04, 50.08]) == [0.0, None, 50.04, 50.08]
    assert placed(Timeline(), [0.0, 9.0, 9.04]) == [0.0, 9.0, 9.04]


def test_a_step_back_is_believed_at_the_second_item_and_goes_on_where_it_was() -> None:
    assert placed(Timeline(), [5.0, 5.04, 1.0, 1.04, 1.08]) == pytest.approx([5.0, 5.04, None, 5.08, 5.12])


def test_both_tracks_are_moved_by_the_same_at_a_splice() -> None:
    splices = Splices()
    video, audio = Timeline(splices), Timeline(splices)
    assert placed(video, [9.96, 0.0, 0.04])[-1] == pytest.approx(10.0)
    # The sound of the first part was longer: what follows stays with its picture, and what overlaps is left out.
    assert placed(audio, [10.26, 0.0, 0.04, 0.28, 0.34]) == pytest.approx([10.26, None, None, None, 10.30])


def test_splices_of_one_loop_after_another_are_different_ones() -> None:
    splices = Splices()
    assert [splices.agree(shift) for shift in (10.0, 11.0, 20.0, 20.5, 9.0)] == [10.0, 10.0, 20.0, 20.0, 10.0]


def test_a_gap_in_which_no_track_has_anything_is_shortened() -> None:
    assert closed([block(0.0), block(95_000.0), block(95_001.0)]) == pytest.approx([0.0, 11.0, 12.0])
    assert closed([block(0.0), block(10.5)]) == [0.0, 10.5]


@pytest.mark.parametrize("first", [95_435.0, -8.7])
def test_a_clip_that_begins_far_off_begins_at_zero(first: float) -> None:
    assert closed([fault(0.0), block(first), block(first + 1), fault(first + 1)]) == pytest.approx([0.0, 0.0, 1.0, 1.0])


def test_a_clip_that_begins_nearly_at_zero_is_left_as_it_is() -> None:
    items = [block(1.4), block(2.4)]
    assert list(close_gaps(items)) == items
    assert closed([block(-0.02), fault(0.5)]) == [-0.02, 0.5]


def test_gaps_may_last_a_minute_longer_than_what_was_decoded() -> None:
    sparse = [block(10.0 * n) for n in range(8)]
    assert closed(sparse)[-1] == 70.0
    with pytest.raises(Scattered):
        closed([block(10.0 * n) for n in range(9)])
    decoded = [block(float(n)) for n in range(120)]
    assert closed([*decoded, *(block(120 + 10.0 * n) for n in range(18))])[-1] == 290.0
    # Slides that change once a second are no gaps.
    assert len(closed([block(2.0 * n) for n in range(500)])) == 500
