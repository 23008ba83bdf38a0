"""The state machine of where a stream can be decoded from, on pictures made by hand; real streams run through it in
`tests/monitor/tap/rtp/test_damaged_video.py`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.tap.media.entry_point import MAX_RECOVERY_FRAMES, EntryPoint
from monitor.tap.media.parameter_sets import ParameterSets, parse_sprop
from tests.monitor.tap.media.test_headers import ue, vp8_bomb
from tests.monitor.tap.media.test_parameter_sets import annex_b, picture_set, sequence_set, text, unit

PATIENCE = 3.0
NONE = ParameterSets()
OFFERED, _ = parse_sprop(text(sequence_set(0), picture_set(0)))
SETS = annex_b(sequence_set(0), picture_set(0))
KEY, DELTA, UNREFERRED = annex_b(b"\x65key"), annex_b(b"\x41delta"), annex_b(b"\x01delta")
VP8_KEY, VP8_DELTA = vp8_bomb(64, 48), b"\x11delta"


def recovery(frames: int) -> bytes:
    """A picture with a recovery point."""
    point = ue(frames) + "1000" + "1"
    body = int(point.ljust(-(-len(point) // 8) * 8, "0"), 2).to_bytes(-(-len(point) // 8), "big")
    return annex_b(bytes([6, 6, len(body)]) + body + b"\x80", DELTA[4:])


def damage(entry: EntryPoint, *pictures: bytes, at: float = 0.0, codec: str = "H264") -> list[bool | None]:
    """Whether each picture is damaged, None where it is not let through."""
    admitted = [entry.admit(codec, data, NONE, at) for data in pictures]
    return [None if one is None else one.damaged for one in admitted]


def test_pictures_wait_for_a_key_frame_and_are_then_intact() -> None:
    entry = EntryPoint(PATIENCE)
    assert damage(entry, DELTA, KEY, DELTA) == [None, False, False]
    assert not entry.waiting
    entry.lose(1.0)
    assert entry.waiting
    assert damage(entry, DELTA, KEY, at=1.1) == [None, False]


@pytest.mark.parametrize("frames", [0, 1, 3])
def test_from_a_recovery_point_on_so_many_reference_pictures_are_damaged(frames: int) -> None:
    entry = EntryPoint(PATIENCE)
    pictures = [recovery(frames), UNREFERRED, DELTA, UNREFERRED, DELTA, DELTA]
    expected = {0: [False] * 6, 1: [True, *[False] * 5], 3: [True] * 5 + [False]}
    assert damage(entry, *pictures) == expected[frames]
    assert not entry.waiting


def test_another_loss_on_the_way_begins_anew() -> None:
    entry = EntryPoint(PATIENCE)
    assert damage(entry, recovery(3), DELTA) == [True, True]
    entry.lose(0.0)
    assert damage(entry, DELTA, recovery(1), DELTA) == [None, True, False]


def test_a_recovery_that_takes_too_long_is_none() -> None:
    assert damage(EntryPoint(PATIENCE), recovery(MAX_RECOVERY_FRAMES + 1)) == [None]
    assert damage(EntryPoint(PATIENCE), recovery(MAX_RECOVERY_FRAMES)) == [True]


def test_after_some_seconds_without_a_key_frame_pictures_are_let_through_damaged() -> None:
    for codec, key, delta in (("H264", KEY, DELTA), ("VP8", VP8_KEY, VP8_DELTA)):
        entry = EntryPoint(PATIENCE)
        assert damage(entry, key, codec=codec) == [False]
        entry.lose(10.0)
        assert damage(entry, delta, at=10.0 + PATIENCE - 0.01, codec=codec) == [None]
        entry.lose(12.0)
        assert damage(entry, delta, delta, at=10.0 + PATIENCE, codec=codec) == [True, True]
        assert entry.waiting
        entry.lose(14.0)
        assert damage(entry, delta, at=14.0, codec=codec) == [True]
        assert damage(entry, key, delta, at=15.0, codec=codec) == [False, False]


def test_what_has_nothing_to_begin_with_stays_out() -> None:
    for codec, delta in (("H264", DELTA), ("VP8", VP8_DELTA)):
        entry = EntryPoint(PATIENCE)
        assert damage(entry, delta, codec=codec) == [None]
        assert damage(entry, delta, at=60.0, codec=codec) == [None]
    begun = EntryPoint(PATIENCE)
    assert begun.admit("H264", DELTA, OFFERED, 0.0) is None
    first = begun.admit("H264", DELTA, OFFERED, PATIENCE)
    assert first is not None
    assert (first.data, first.damaged) == (SETS + DELTA, True)


def test_parameter_sets_come_before_the_first_picture_after_a_loss_the_streams_own_in_place_of_the_offers() -> None:
    entry = EntryPoint(PATIENCE)
    data = [entry.admit("H264", picture, OFFERED, 0.0) for picture in (KEY, DELTA)]
    assert [one and one.data for one in data] == [SETS + KEY, DELTA]
    newer = annex_b(sequence_set(0, level=40)) + KEY
    entry.admit("H264", newer, OFFERED, 0.0)
    entry.lose(1.0)
    after = entry.admit("H264", KEY, OFFERED, 1.0)
    assert after is not None
    assert after.data == annex_b(sequence_set(0, level=40), picture_set(0)) + KEY


def test_vp8_has_no_recovery_points_and_no_parameter_sets() -> None:
    entry = EntryPoint(PATIENCE)
    assert damage(entry, recovery(0), codec="VP8") == [None]
    first = entry.admit("VP8", VP8_KEY, OFFERED, 0.0)
    assert first is not None
    assert first.data == VP8_KEY


PICTURES = st.sampled_from([KEY, DELTA, UNREFERRED, recovery(2), annex_b(unit(6, "1")), b""])


@given(st.lists(st.tuples(PICTURES, st.booleans(), st.floats(0.0, 1.0)), max_size=60))
def test_after_a_loss_nothing_is_called_intact_before_a_start(steps: list[tuple[bytes, bool, float]]) -> None:
    entry, now, begun = EntryPoint(PATIENCE), 0.0, False
    for data, lost, seconds in steps:
        now += seconds
        if lost:
            entry.lose(now)
            begun = False
        admitted = entry.admit("H264", data, NONE, now)
        begun = begun or data in (KEY, recovery(2))
        assert entry.waiting is not begun
        if admitted is not None and not admitted.damaged:
            assert begun
