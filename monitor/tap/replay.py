"""A recorded clip as a source: frames and audio blocks in capture order, in real or virtual time.

Capture time is pts on the container's common clock. What is wrong with a clip is either a `SourceError` (nothing can be
read) or a `TrackFault` (the rest is read).
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import av
from av.container import InputContainer

from monitor.tap.clip_file import AvStream, TrackChoice, TrackInfo, open_clip, select_track, stream_of
from monitor.tap.clip_time import Splices, close_gaps, item_time
from monitor.tap.clip_track import ClipTrack
from monitor.tap.media.config import ClipLimits
from monitor.tap.media.source import SourceError
from monitor.types import (
    MediaItem,
    Reason,
    TrackFault,
    TrackKind,
    VideoFrame,
)

_BATCH_ITEMS = 8
_MAX_LAG_SECONDS = 1.0
_KINDS: tuple[TrackKind, ...] = ("video", "audio")


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """What a clip's header says; `seconds` and `fps` are 0.0 where it says nothing, sizes are those before turning.

    `tracks` are those that are read, of each kind at most one.
    """

    seconds: float
    fps: float
    width: int
    height: int
    has_audio: bool
    has_video: bool
    tracks: tuple[TrackInfo, ...] = ()


def probe_clip(path: Path | str, choice: TrackChoice | None = None) -> ClipInfo:
    """Read the header of a clip; raises `SourceError` when it is not one, or has no track of the chosen number."""
    clip = Path(path)
    tracks = _select(clip, choice)
    with open_clip(clip) as container:
        streams = {track.kind: stream_of(container, track) for track in tracks}
        video = streams.get("video")
        readable = isinstance(video, av.VideoStream) and any(t.kind == "video" and t.codec for t in tracks)
        rate = video.average_rate if isinstance(video, av.VideoStream) else None
        return ClipInfo(
            seconds=_seconds(container, *streams.values()),
            fps=float(rate) if rate else 0.0,
            width=video.codec_context.width if isinstance(video, av.VideoStream) and readable else 0,
            height=video.codec_context.height if isinstance(video, av.VideoStream) and readable else 0,
            has_audio="audio" in streams,
            has_video="video" in streams,
            tracks=tracks,
        )


def read_clip(
    path: Path | str, limits: ClipLimits | None = None, choice: TrackChoice | None = None
) -> Generator[MediaItem, None, None]:
    """Yield a clip's items ordered by capture time; arrival equals capture.

    A missing track, one that cannot be decoded, an oversized picture and damaged packets are each reported once as a
    `TrackFault`, and the rest goes on. Raises `SourceError` when the file is not media, holds nothing that can be
    decoded, or has no track of the chosen number.
    """
    clip, bounds, splices = Path(path), limits or ClipLimits(), Splices()
    chosen = {track.kind: track for track in _select(clip, choice)}
    tracks = [
        ClipTrack(clip, chosen[kind], bounds, splices).read() if kind in chosen else _missing_track(kind)
        for kind in _KINDS
    ]
    has_media = False
    for item in close_gaps(heapq.merge(*tracks, key=item_time)):
        has_media = has_media or not isinstance(item, TrackFault) or item.reason is Reason.FRAME_TOO_LARGE
        yield item
    if not has_media:
        raise SourceError(f"{clip.name} holds nothing that can be decoded: check the file, or record it again")


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


def _select(clip: Path, choice: TrackChoice | None) -> tuple[TrackInfo, ...]:
    asked = choice or TrackChoice()
    with open_clip(clip) as container:
        found = [select_track(container, kind, asked.of(kind)) for kind in _KINDS]
    return tuple(track for track in found if track is not None)


def _seconds(container: InputContainer, *streams: AvStream) -> float:
    if container.duration:
        return container.duration / av.time_base
    lengths = [float(s.duration * s.time_base) for s in streams if s.duration and s.time_base]
    return max(lengths, default=0.0)


def _missing_track(kind: TrackKind) -> Iterator[MediaItem]:
    reason = Reason.NO_AUDIO if kind == "audio" else Reason.NO_VIDEO
    yield TrackFault(kind, reason, f"the clip has no {kind}", 0.0)
