"""A way into calls in a package of its own: a test card and a tone, as a participant who never leaves."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import numpy as np
from pydantic import Field

from monitor.tap.kit import (
    BLOCK_SAMPLES,
    SAMPLE_RATE_HZ,
    AudioBlock,
    ClockState,
    MediaItem,
    Stamp,
    VideoFrame,
)
from plugins.base import Intake, NoRoom, PluginOptions, PluginSpec, name_from

WIDTH_PX, HEIGHT_PX = 320, 240
BLOCK_SECONDS = BLOCK_SAMPLES / SAMPLE_RATE_HZ
RETRY_SECONDS = 5.0


class TestCardOptions(PluginOptions):
    """What stands beside `plugin` in the configuration; whatever else stands there is refused."""

    call: str = Field(default="demo", min_length=1, max_length=128)
    participant: str = Field(default="test-card", min_length=1, max_length=128)
    tone_hz: float = Field(default=220.0, gt=20.0, lt=8000.0)


class TestCard:
    """The media: a picture and a block of sound at a time, made as they are asked for, so that nothing waits."""

    dropped = 0

    def __init__(self, tone_hz: float) -> None:
        self._tone_hz = tone_hz
        self._closed = asyncio.Event()
        self._paused = False

    async def __aiter__(self) -> AsyncIterator[MediaItem]:
        """Yield a picture and a block of sound every 20 ms or so, on this machine's clock."""
        start, number = time.monotonic(), 0
        while not self._closed.is_set():
            at = start + number * BLOCK_SECONDS
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), max(at - time.monotonic(), 0.0))
            number += 1
            if self._closed.is_set() or self._paused:
                continue
            # Capture, arrival and media time are the same here; a platform has timestamps of its own: see CallClock.
            stamp = Stamp(at - start, at, 0.0, ClockState.MAPPED, at)
            times = (np.arange(BLOCK_SAMPLES) / SAMPLE_RATE_HZ + at - start).astype(np.float64)
            yield AudioBlock(stamp, (0.1 * np.sin(2 * np.pi * self._tone_hz * times)).astype(np.float32))
            if number % 2:
                yield _picture(stamp, number)

    def pause(self, paused: bool) -> None:
        """Make nothing, or go on."""
        self._paused = paused

    async def close(self) -> None:
        """End; safe to call twice."""
        self._closed.set()


def _picture(stamp: Stamp, number: int) -> VideoFrame:
    """Return eight bars of grey that move by a pixel with each picture."""
    bars = (np.arange(WIDTH_PX) + number) % WIDTH_PX // (WIDTH_PX // 8)
    luma = np.broadcast_to((16 + 27 * bars).astype(np.uint8), (HEIGHT_PX, WIDTH_PX))
    chroma = np.full((HEIGHT_PX // 2, WIDTH_PX // 2), 128, np.uint8)
    return VideoFrame(stamp, luma, chroma, chroma)


class TestCardPlugin:
    """Brings one participant; a platform would bring many, as they come and go."""

    def __init__(self, options: TestCardOptions) -> None:
        self._options = options

    async def run(self, intake: Intake) -> None:
        """Join, bring the participant, and wait until they are judged no more."""
        options = self._options
        intake.connected()
        while True:
            source = TestCard(options.tone_hz)
            try:
                admitted = await intake.admit(name_from(options.call), name_from(options.participant), source)
            except NoRoom as refusal:
                await intake.sleep(refusal.retry_after_seconds or RETRY_SECONDS)
                continue
            await admitted.wait()
            return


SPEC = PluginSpec("test_card", TestCardOptions, TestCardPlugin)
