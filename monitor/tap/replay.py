"""A recorded clip as a source: frames and audio blocks in capture order, in real or virtual time.

Capture time is pts on the container's common clock. What is wrong with a clip is either a `SourceError` (nothing can be
read) or a `TrackFault` (the rest is read).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Generator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from monitor.tap.clip_file import ClipInfo, TrackChoice
from monitor.tap.clip_process import ClipProcess
from monitor.tap.clip_time import item_time
from monitor.tap.media.config import ClipLimits
from monitor.types import MediaItem, TrackFault, VideoFrame

_BATCH_ITEMS = 8
_MAX_LAG_SECONDS = 1.0


def probe_clip(path: Path | str, choice: TrackChoice | None = None, limits: ClipLimits | None = None) -> ClipInfo:
    """Read the header of a clip; raises `SourceError` when it is not one, or has no track of the chosen number."""
    with ClipProcess(Path(path), limits, choice, items=False) as clip:
        return clip.header()


def read_clip(
    path: Path | str, limits: ClipLimits | None = None, choice: TrackChoice | None = None
) -> Generator[MediaItem, None, None]:
    """Yield a clip's items ordered by capture time; arrival equals capture.

    They are decoded in a process of their own, which ends with the generator. A missing track, one that cannot be
    decoded, an oversized picture and damaged packets are each reported once as a `TrackFault`, and the rest goes on.
    Raises `SourceError` when the file is not media, holds nothing that can be decoded, has no track of the chosen
    number, or costs more than `limits` allow.
    """
    with ClipProcess(Path(path), limits, choice) as clip:
        clip.header()
        yield from clip.items()


class ReplaySource:
    """A clip as a `Source`: in real time items arrive as they were captured, in virtual time as fast as they are read.

    In real time, pictures more than a second late are dropped and counted; virtual time waits for its reader.
    """

    def __init__(
        self,
        path: Path | str,
        realtime: bool = False,
        limits: ClipLimits | None = None,
        choice: TrackChoice | None = None,
    ) -> None:
        self._path = Path(path)
        self._realtime = realtime
        self._limits, self._choice = limits, choice
        self._closed = asyncio.Event()
        self._paused = False
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Pictures dropped because the reader was too slow."""
        return self._dropped

    def pause(self, paused: bool) -> None:
        """Skip what lies in the pause; a recording is decoded all the same."""
        self._paused = paused

    async def close(self) -> None:
        """End the iteration; safe to call twice."""
        self._closed.set()

    async def __aiter__(self) -> AsyncIterator[MediaItem]:
        """Yield the clip's items once; raises `SourceError` as `read_clip` does."""
        items = read_clip(self._path, self._limits, self._choice)
        pace = _Pace() if self._realtime else None
        try:
            while batch := await asyncio.to_thread(lambda: list(islice(items, _BATCH_ITEMS))):
                for item in batch:
                    if pace and await self._sleep(pace.ahead(item)):
                        return
                    if self._closed.is_set():
                        return
                    if self._paused:
                        continue
                    if pace and isinstance(item, VideoFrame) and pace.ahead(item) < -_MAX_LAG_SECONDS:
                        self._dropped += 1
                        continue
                    yield pace.arrived(item) if pace else item
        finally:
            await asyncio.to_thread(items.close)

    async def _sleep(self, seconds: float) -> bool:
        """Wait `seconds`, or until the source is closed; returns whether it was."""
        if seconds <= 0:
            return self._closed.is_set()
        try:
            await asyncio.wait_for(self._closed.wait(), seconds)
        except TimeoutError:
            return False
        return True


class _Pace:
    """Maps the clip's clock to this process's monotonic clock, from the first item on."""

    def __init__(self) -> None:
        self._shift: float | None = None

    def ahead(self, item: MediaItem) -> float:
        """Seconds until the item is due; negative where it is late."""
        if self._shift is None:
            self._shift = time.monotonic() - item_time(item)
        return item_time(item) + self._shift - time.monotonic()

    def arrived(self, item: MediaItem) -> MediaItem:
        """Return the item with the present as its arrival."""
        now = time.monotonic()
        if isinstance(item, TrackFault):
            return replace(item, arrival=now)
        return replace(item, stamp=replace(item.stamp, arrival=now))
