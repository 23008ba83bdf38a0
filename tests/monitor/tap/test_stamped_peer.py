"""A participant whose media come as a platform's messages: key frames, silence, faults, pauses, too slow a reader."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import av
import numpy as np
import pytest

from monitor.tap.media.config import TapConfig
from monitor.tap.media.decode import EncodedFrame, make_decoder
from monitor.tap.media.source import Hearing, PullSource
from monitor.tap.stamped_peer import StampedPeer
from monitor.types import AudioBlock, ClockState, MediaItem, Reason, TrackFault, VideoFrame
from tests.plugins.zoom_server import Person, made_person

EPOCH = 1_738_392_033.0
L16 = "L16/16000/1"
PIECE = 640


@pytest.fixture(scope="module")
def ada() -> Person:
    return made_person(5, "Ada")


@asynccontextmanager
async def peer(**config: float) -> AsyncIterator[StampedPeer]:
    made = StampedPeer(0.1, TapConfig(**config))  # type: ignore[arg-type]
    try:
        yield made
    finally:
        await made.close()
        await made.close()


def send(made: StampedPeer, one: Person, first: int = 0, last: int = 30, sound: bool = True) -> list[MediaItem]:
    """Put pictures of one person from one to another, the sound beside them, and take what comes of them."""
    for n in range(first, last):
        at, data = one.pictures[n]
        made.put("video", "H264", data, EPOCH + at)
        for piece in range(round(at * 50), round((at + 1 / 15) * 50)) if sound else ():
            made.put("audio", L16, one.sound[piece * PIECE : piece * PIECE + PIECE], EPOCH + piece / 50)
    return made.take(1000)


async def test_pictures_and_sound_are_decoded_on_one_clock(ada: Person) -> None:
    async with peer() as made:
        assert isinstance(made, PullSource)
        assert isinstance(made, Hearing)
        assert made.heard_at is None
        items = send(made, ada)
        pictures = [item for item in items if isinstance(item, VideoFrame)]
        blocks = [item for item in items if isinstance(item, AudioBlock)]
        assert len(pictures) == 30
        assert sum(block.samples.size for block in blocks) == pytest.approx(2 * 16_000, rel=0.05)
        assert pictures[-1].stamp.state is ClockState.MAPPED
        lit = next(p.stamp.capture for p in pictures[10:] if p.y.mean() > 120)
        loud = next(b.stamp.capture for b in blocks[10:] if np.abs(b.samples).max() > 0.1)
        assert loud == pytest.approx(lit, abs=0.045)
        assert made.heard_at is not None
        assert time.monotonic() - made.heard_at < 60


async def test_pictures_wait_for_one_that_stands_by_itself(ada: Person) -> None:
    async with peer() as made:
        assert not made.needs_key
        assert send(made, ada, 1, 15, sound=False) == []
        assert made.needs_key
        assert len(send(made, ada, 15, 30, sound=False)) == 15
        assert not made.needs_key


async def test_a_pause_decodes_nothing_and_begins_with_a_key_frame(ada: Person) -> None:
    async with peer() as made:
        send(made, ada, 0, 5)
        made.pause(True)
        assert send(made, ada, 5, 10) == []
        made.pause(False)
        assert [item for item in send(made, ada, 10, 15) if isinstance(item, VideoFrame)] == []
        assert len([item for item in send(made, ada, 15, 20) if isinstance(item, VideoFrame)]) == 5
        assert made.dropped == 0


async def test_what_cannot_be_decoded_is_told_and_needs_a_key_frame(ada: Person) -> None:
    async with peer() as made:
        send(made, ada, 0, 3, sound=False)
        start = ada.pictures[0][1]
        made.put("video", "H264", start[: len(start) // 3] + bytes(200), EPOCH + 1.0)
        made.put("audio", L16, b"\x01\x02\x03", EPOCH + 1.0)
        made.put("audio", L16, b"", EPOCH + 1.1)
        faults = {item.track: item.reason for item in made.take(100) if isinstance(item, TrackFault)}
        assert faults["audio"] is Reason.DECODER_FAILED


async def test_a_reader_that_is_too_slow_loses_the_oldest_and_waits_for_a_key_frame(ada: Person) -> None:
    async with peer(backlog_seconds=0.5) as made:
        for n in range(12):
            made.put("video", "H264", ada.pictures[n][1], EPOCH + n / 15)
        assert made.dropped > 0
        assert made.needs_key


async def test_silence_and_pictures_that_stop_are_told(ada: Person) -> None:
    async with peer(stall_seconds=0.2) as made:
        send(made, ada, 0, 5)
        found: list[MediaItem] = []

        async def faults() -> None:
            async for item in made:
                found.append(item)
                if len({one.track for one in found if isinstance(one, TrackFault)}) == 2:
                    return

        await asyncio.wait_for(faults(), 30)
        told = {one.track: one.reason for one in found if isinstance(one, TrackFault)}
        # Platforms send no sound of whoever is muted.
        assert told == {"audio": Reason.SILENCE, "video": Reason.MEDIA_STALLED}


def test_sound_that_is_not_encoded() -> None:
    stereo = np.array([[100, -100], [300, 500]], "<i2").tobytes()
    (frame,) = make_decoder("L16/48000/2", 0).decode(EncodedFrame("audio", "L16/48000/2", stereo, 1.0, 1.0))
    assert isinstance(frame, av.AudioFrame)
    assert (frame.sample_rate, frame.layout.nb_channels, frame.samples, frame.pts) == (48_000, 2, 2, 48_000)
    decoder = make_decoder("L16/16000/1", 0)
    for data in (b"", b"\x01"):
        with pytest.raises(ValueError, match="cut off"):
            decoder.decode(EncodedFrame("audio", L16, data, 0.0, 0.0))
