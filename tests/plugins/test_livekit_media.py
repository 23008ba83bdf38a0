"""What the SDK gives of somebody as a source: pictures turned and cut to be whole, dropped where nobody reads."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from livekit import rtc

from monitor.tap.kit import ClockState, Reason, TrackFault, VideoFrame
from plugins.livekit_media import MAX_PICTURES, MAX_PIXELS, LiveKitSource
from tests.plugins.livekit_server import livekit_server
from tests.plugins.supervised import supervised
from tests.plugins.test_livekit import come, source


@dataclass
class Event:
    """A picture of the SDK's as its stream gives it."""

    frame: Any
    timestamp_us: int
    rotation: int = 0


def picture(width: int, height: int, rotation: int = 0, at: float | None = None) -> Event:
    """A picture whose upper left quarter is white."""
    half = ((height + 1) // 2, (width + 1) // 2)
    y = np.zeros((height, width), np.uint8)
    y[: height // 2, : width // 2] = 235
    planes = (y, np.full(half, 100, np.uint8), np.full(half, 150, np.uint8))
    data = bytearray(b"".join(plane.tobytes() for plane in planes))
    frame = rtc.VideoFrame(width, height, rtc.VideoBufferType.I420, data)
    return Event(frame, round((time.monotonic() if at is None else at) * 1e6), rotation)


def white_corner(frame: VideoFrame) -> tuple[bool, bool]:
    """Whether the white quarter is at the bottom, and whether it is on the right."""
    rows, columns = np.nonzero(frame.y)
    return bool(rows.mean() > frame.height / 2), bool(columns.mean() > frame.width / 2)


@pytest.mark.parametrize(
    ("rotation", "corner"), [(0, (False, False)), (1, (False, True)), (2, (True, True)), (3, (True, False))]
)
def test_pictures_are_turned_upright(rotation: int, corner: tuple[bool, bool]) -> None:
    """Clockwise by so many quarters, as CVO has it."""
    item = LiveKitSource()._picture(picture(16, 8, rotation), time.monotonic())
    assert isinstance(item, VideoFrame)
    assert (item.width, item.height) == ((16, 8) if rotation % 2 == 0 else (8, 16))
    assert item.u.shape == item.v.shape == (item.height // 2, item.width // 2)
    assert (item.u[0, 0], item.v[0, 0]) == (100, 150)
    assert white_corner(item) == corner


def test_of_an_odd_size_the_last_row_and_column_are_left_out() -> None:
    item = LiveKitSource()._picture(picture(17, 9), time.monotonic())
    assert isinstance(item, VideoFrame)
    assert (item.y.shape, item.u.shape, item.v.shape) == ((8, 16), (4, 8), (4, 8))


def test_what_is_too_large_or_nothing_is_a_fault() -> None:
    for event in (picture(MAX_PIXELS // 64 + 64, 64), picture(1, 64)):
        item = LiveKitSource()._picture(event, 5.0)
        assert isinstance(item, TrackFault)
        assert (item.reason, item.arrival) == (Reason.FRAME_TOO_LARGE, 5.0)


def test_times_never_step_back_and_another_clock_is_not_believed() -> None:
    made, now = LiveKitSource(), time.monotonic()
    times = (now, now + 0.04, now + 0.02, 3.0)
    stamps = [
        item.stamp for at in times if isinstance(item := made._picture(picture(16, 8, at=at), now + 0.05), VideoFrame)
    ]
    assert [stamp.media for stamp in stamps] == pytest.approx([0.0, 0.04, 0.04, 0.05], abs=1e-5)
    assert {stamp.state for stamp in stamps} == {ClockState.UNKNOWN}
    assert stamps[3].capture == pytest.approx(now + 0.05)


def test_who_reads_too_slowly_loses_the_oldest_pictures() -> None:
    made = LiveKitSource()
    items = [made._picture(picture(16, 8), time.monotonic()) for _ in range(MAX_PICTURES + 3)]
    for item in items:
        made._put(item)
    assert made.dropped == 3
    assert list(made._items) == items[3:]
    for _ in range(500):
        made._put(TrackFault("audio", Reason.MEDIA_STALLED, "nothing comes", 0.0))
    assert len(made._items) < 200
    assert made._pictures == sum(isinstance(one, VideoFrame) for one in made._items)


async def test_who_is_paused_is_not_sent_anything_and_goes_on_afterwards() -> None:
    async with livekit_server() as server, supervised(**source(server.url)) as house:
        await come(server, "ada")
        await house.judged("ada")
        (client,) = server.clients
        ada = house.here["ada"]
        ada.source.pause(True)
        ada.source.pause(True)
        await house.until(lambda: not client.wanted and not client.sent, "nothing is asked for")
        ada.source.pause(False)
        await house.until(lambda: len(client.sent) == 2, "it is asked for again")
        seen, heard = ada.pictures, ada.blocks
        await house.until(lambda: ada.pictures > seen + 3 and ada.blocks > heard + 3, "media come again")
        assert not ada.ended
