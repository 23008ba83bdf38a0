"""What the decoding process may say, and what is not believed of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from monitor.tap.clip_time import stamp_at
from monitor.tap.clip_wire import (
    HEADER,
    MAX_SOUND_BYTES,
    MAX_TEXT_BYTES,
    Kind,
    Listener,
    WireError,
    one_line,
    read_text,
    render,
    text,
)
from monitor.types import AudioBlock, MediaItem, Reason, TrackFault, VideoFrame


def picture(at: float = 0.0, width: int = 5, height: int = 3) -> VideoFrame:
    y = np.arange(width * height, dtype=np.uint8).reshape(height, width)
    half = (height + 1) // 2, (width + 1) // 2
    return VideoFrame(stamp_at(at), y[:, ::1], np.full(half, 7, np.uint8), np.full(half, 9, np.uint8), full_range=True)


def listener() -> Listener:
    return Listener(max_pixels=320 * 240, max_seconds=100.0)


def heard(to: Listener, pieces: list[bytes | memoryview]) -> MediaItem:
    head = to.head(bytes(pieces[0]))
    return to.item(head, np.frombuffer(bytearray(b"".join(pieces[1:])), np.uint8))


def test_items_arrive_as_they_were_said() -> None:
    to = listener()
    seen = heard(to, render(picture()))
    assert isinstance(seen, VideoFrame)
    assert (seen.width, seen.height, seen.full_range, seen.damaged) == (5, 3, True, False)
    assert np.array_equal(seen.y, picture().y)
    assert (seen.u.shape, int(seen.u[1, 2]), int(seen.v[0, 0])) == ((2, 3), 7, 9)
    assert not seen.y.flags.writeable
    sound = heard(to, render(AudioBlock(stamp_at(0.5), np.linspace(-1, 1, 480, dtype=np.float32))))
    assert isinstance(sound, AudioBlock)
    assert sound.stamp == stamp_at(0.5)
    assert np.array_equal(sound.samples, np.linspace(-1, 1, 480, dtype=np.float32))
    fault = TrackFault("video", Reason.NO_VIDEO, "the clip has no video", 0.0)
    assert heard(to, render(fault)) == fault


@pytest.mark.parametrize(
    ("kind", "width", "height", "size"),
    [
        (0, 0, 0, 0),
        (99, 0, 0, 0),
        (Kind.PICTURE, 0, 0, 0),
        (Kind.PICTURE, 0, 240, 0),
        (Kind.PICTURE, 321, 240, 321 * 240 + 2 * 161 * 120),
        (Kind.PICTURE, 65535, 65535, 4_294_967_295),
        (Kind.PICTURE, 320, 240, 320 * 240),
        (Kind.SOUND, 0, 0, 0),
        (Kind.SOUND, 0, 0, 6),
        (Kind.SOUND, 0, 0, MAX_SOUND_BYTES + 4),
        (Kind.FAULT, 0, 0, MAX_TEXT_BYTES + 1),
        (Kind.REFUSED, 0, 0, 4_000_000_000),
    ],
)
def test_sizes_are_looked_at_before_memory_is_taken(kind: int, width: int, height: int, size: int) -> None:
    with pytest.raises(WireError):
        listener().head(HEADER.pack(kind, 0, width, height, 0.0, size))


@pytest.mark.parametrize("capture", [math.nan, math.inf, -math.inf, -5.0, 102.5])
def test_times_are_within_the_clip(capture: float) -> None:
    with pytest.raises(WireError):
        heard(listener(), render(picture(capture)))
    assert heard(listener(), render(picture(101.0)))


@pytest.mark.parametrize("sample", [math.nan, math.inf, -math.inf])
def test_samples_are_numbers(sample: float) -> None:
    with pytest.raises(WireError):
        heard(listener(), render(AudioBlock(stamp_at(0.5), np.array([0.0, sample], np.float32))))


def test_times_go_forward() -> None:
    to = listener()
    heard(to, render(picture(2.0)))
    heard(to, render(picture(2.0)))
    with pytest.raises(WireError):
        heard(to, render(picture(1.9)))


@pytest.mark.parametrize(
    "told",
    [
        {"track": "video", "reason": "no video!", "detail": "", "arrival": 0.0},
        {"track": "video", "detail": "", "arrival": 0.0},
        {"track": "video", "reason": "no_video", "detail": "", "arrival": "soon"},
        {"track": "video", "reason": "no_video", "detail": "", "arrival": [1]},
        {"track": "video", "reason": "no_video", "detail": "", "arrival": math.nan},
        {"track": "video", "reason": "no_video", "detail": "", "arrival": 10**400},
    ],
)
def test_a_fault_that_makes_no_sense_is_none(told: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        heard(listener(), [*text(Kind.FAULT, told)])


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 60_000])
def test_a_text_that_makes_no_sense_is_none(body: bytes) -> None:
    with pytest.raises(WireError):
        read_text(body)


def test_whatever_is_said_is_one_line() -> None:
    assert one_line({"why": "a\nb\x1b[31m" + "c" * 900}, "why") == "a b [31m" + "c" * 492
    fault = heard(listener(), render(TrackFault("audio", Reason.NO_AUDIO, "a\r\nb", 0.0)))
    assert isinstance(fault, TrackFault)
    assert (fault.track, fault.detail) == ("audio", "a  b")
