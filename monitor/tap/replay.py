"""A recorded clip as a source: frames and audio blocks in capture order, in real or virtual time.

Capture time is pts on the container's common clock. Each track is read through a container of its own, so a badly
interleaved file costs no memory and the order is exact. What is wrong with a clip is either a `SourceError` (nothing
can be read) or a `TrackFault` (the rest is read).
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import cast

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream

from monitor.tap.media.config import ClipLimits
from monitor.tap.media.formats import AudioCutter, to_video_frame
from monitor.tap.media.source import SourceError
from monitor.types import (
    SAMPLE_RATE_HZ,
    AudioBlock,
    ClockState,
    FloatArray,
    MediaItem,
    Reason,
    Stamp,
    TrackFault,
    TrackKind,
    VideoFrame,
)

# No playlists and no network: a clip must not make the reader open anything but itself.
_FORMATS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf,wav,mp3,flac,aac,yuv4mpegpipe,ivf,mxf,nut,h264,m4v"
_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
_UNCERTAINTY = 0.001
_REANCHOR = 1.0
_BATCH = 8
_MAX_LAG = 1.0
_KINDS: tuple[TrackKind, ...] = ("video", "audio")

AvStream = av.VideoStream | av.AudioStream


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """What a clip's header says; `seconds` and `fps` are 0.0 where it says nothing."""

    seconds: float
    fps: float
    width: int
    height: int
    has_audio: bool
    has_video: bool


def probe_clip(path: Path | str) -> ClipInfo:
    """Read the header of a clip; raises `SourceError` when it is not one."""
    with _open(Path(path)) as container:
        video, audio = _stream(container, "video"), _stream(container, "audio")
        rate = video.average_rate if isinstance(video, av.VideoStream) else None
        return ClipInfo(
            seconds=_seconds(container, video, audio),
            fps=float(rate) if rate else 0.0,
            width=video.codec_context.width if isinstance(video, av.VideoStream) else 0,
            height=video.codec_context.height if isinstance(video, av.VideoStream) else 0,
            has_audio=audio is not None,
            has_video=video is not None,
        )


def read_clip(path: Path | str, limits: ClipLimits | None = None) -> Generator[MediaItem, None, None]:
    """Yield a clip's items ordered by capture time; arrival equals capture.

    A missing track, an oversized picture and damaged packets are each told once as a `TrackFault`, and the rest goes
    on. Raises `SourceError` when the file is not media or holds nothing that can be decoded.
    """
    clip, bounds = Path(path), limits or ClipLimits()
    with _open(clip) as container:
        kinds = {kind for kind in _KINDS if _stream(container, kind) is not None}
    tracks = [_Track(clip, kind, bounds).read() if kind in kinds else _missing(kind) for kind in _KINDS]
    found = False
    for item in heapq.merge(*tracks, key=item_time):
        found = found or not isinstance(item, TrackFault) or item.reason is Reason.FRAME_TOO_LARGE
        yield item
    if not found:
        raise SourceError(f"{clip.name} holds nothing that can be decoded: check the file, or record it again")


class ReplaySource:
    """A clip as a `Source`: in real time items arrive as they were captured, in virtual time as fast as they are read.

    In real time, pictures more than a second late are dropped and counted; virtual time waits for its reader.
    """

    def __init__(self, path: Path | str, realtime: bool = False, limits: ClipLimits | None = None) -> None:
        self._path = Path(path)
        self._realtime = realtime
        self._limits = limits
        self._closed = asyncio.Event()
        self._paused = False
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Pictures dropped because the reader was too slow."""
        return self._dropped

    def pause(self, paused: bool) -> None:
        """Pass over what lies in the pause; a recording is decoded all the same."""
        self._paused = paused

    async def close(self) -> None:
        """End the iteration; safe to call twice."""
        self._closed.set()

    async def __aiter__(self) -> AsyncIterator[MediaItem]:
        """Yield the clip's items once; raises `SourceError` as `read_clip` does."""
        items = read_clip(self._path, self._limits)
        pace = _Pace() if self._realtime else None
        try:
            while batch := await asyncio.to_thread(lambda: list(islice(items, _BATCH))):
                for item in batch:
                    if pace and await self._sleep(pace.ahead(item)):
                        return
                    if self._closed.is_set():
                        return
                    if self._paused:
                        continue
                    if pace and isinstance(item, VideoFrame) and pace.ahead(item) < -_MAX_LAG:
                        self._dropped += 1
                        continue
                    yield pace.arrived(item) if pace else item
        finally:
            await asyncio.to_thread(items.close)

    async def _sleep(self, seconds: float) -> bool:
        """Wait, or until closed; whether it was closed."""
        if seconds <= 0:
            return self._closed.is_set()
        try:
            await asyncio.wait_for(self._closed.wait(), seconds)
        except TimeoutError:
            return False
        return True


class _Pace:
    """Lays the clip's clock on this process's monotonic clock, from the first item on."""

    def __init__(self) -> None:
        self._shift: float | None = None

    def ahead(self, item: MediaItem) -> float:
        if self._shift is None:
            self._shift = time.monotonic() - item_time(item)
        return item_time(item) + self._shift - time.monotonic()

    def arrived(self, item: MediaItem) -> MediaItem:
        now = time.monotonic()
        if isinstance(item, TrackFault):
            return replace(item, arrival=now)
        return replace(item, stamp=replace(item.stamp, arrival=now))


class _Timeline:
    """Makes pts monotonic: small backward steps are refused, large ones (a spliced stream) are re-anchored."""

    def __init__(self) -> None:
        self._shift = 0.0
        self._last: float | None = None
        self._step = 0.0

    def place(self, seconds: float | None, step: float) -> Stamp | None:
        """Stamp an item at `seconds` that lasts `step`; None when it is to be left out."""
        last, before = self._last, self._step
        if last is None:
            at = seconds if seconds is not None else 0.0
        elif seconds is None:
            at = last + before
        else:
            at = seconds + self._shift
            if at <= last - _REANCHOR:
                self._shift += last + before - at
                at = last + before
            elif at <= last:
                return None
        self._last, self._step = at, step
        return Stamp(at, at, _UNCERTAINTY, ClockState.MAPPED, at)


class _Track:
    """Decodes one track of a clip."""

    def __init__(self, path: Path, kind: TrackKind, limits: ClipLimits) -> None:
        self._path, self._kind, self._limits = path, kind, limits
        self._timeline = _Timeline()
        self._cutter = AudioCutter()
        self._faulted = False
        self._now = 0.0

    def read(self) -> Iterator[MediaItem]:
        with _open(self._path) as container:
            stream = cast(AvStream, _stream(container, self._kind))
            context = stream.codec_context
            context.thread_count = 1
            if isinstance(stream, av.VideoStream):
                width, height = stream.codec_context.width, stream.codec_context.height
                if self._oversized(width, height):
                    yield self._fault(Reason.FRAME_TOO_LARGE, _too_large(width, height))
                    return
                context.options = {**context.options, "max_pixels": str(self._limits.max_pixels)}
            self._now = float((stream.start_time or 0) * (stream.time_base or 0))
            yield from self._decode(container, stream)

    def _decode(self, container: InputContainer, stream: AvStream) -> Iterator[MediaItem]:
        bad = 0
        for packet in _packets(container, stream, self._limits.max_bad_packets):
            frames = self._frames(packet)
            if frames is None:
                bad += 1
                yield from self._damaged()
                if bad >= self._limits.max_bad_packets:
                    return
                continue
            bad = 0 if frames else bad
            for frame in frames:
                if frame.is_corrupt:
                    yield from self._damaged()
                elif isinstance(frame, av.AudioFrame):
                    yield from self._blocks(self._cutter.push(frame))
                elif self._oversized(frame.width, frame.height):
                    yield self._fault(Reason.FRAME_TOO_LARGE, _too_large(frame.width, frame.height))
                    return
                else:
                    yield from self._pictures(frame)
        yield from self._blocks(self._cutter.flush())

    def _frames(self, packet: Packet[Stream] | None) -> list[av.VideoFrame | av.AudioFrame] | None:
        """Decode one packet; None when it cannot be."""
        try:
            return cast(list[av.VideoFrame | av.AudioFrame], packet.decode()) if packet is not None else None
        except (av.FFmpegError, ValueError):
            return None

    def _pictures(self, frame: av.VideoFrame) -> Iterator[MediaItem]:
        unit = frame.time_base or Fraction(0)
        seconds = float(frame.pts * unit) if frame.pts is not None else None
        step = float(frame.duration * unit) or 0.04
        stamp = self._timeline.place(seconds, step)
        if stamp is not None:
            self._now = stamp.capture
            yield to_video_frame(frame, stamp)

    def _blocks(self, blocks: Iterator[tuple[float, FloatArray]]) -> Iterator[MediaItem]:
        for seconds, samples in blocks:
            stamp = self._timeline.place(seconds, samples.size / SAMPLE_RATE_HZ)
            if stamp is not None:
                self._now = stamp.capture
                yield AudioBlock(stamp, samples)

    def _damaged(self) -> Iterator[MediaItem]:
        if not self._faulted:
            self._faulted = True
            yield self._fault(Reason.DECODER_FAILED, f"some of the {self._kind} is damaged and was skipped")

    def _oversized(self, width: int, height: int) -> bool:
        return width * height > self._limits.max_pixels

    def _fault(self, reason: Reason, detail: str) -> TrackFault:
        return TrackFault(self._kind, reason, detail, self._now)


def _open(path: Path) -> InputContainer:
    if not path.is_file():
        raise SourceError(f"{path.name} is not a file: give the path of a recorded clip")
    if path.stat().st_size == 0:
        raise SourceError(f"{path.name} is empty: record it again")
    try:
        return av.open(f"file:{path}", options=_OPTIONS)
    except PermissionError:
        raise SourceError(f"{path.name} may not be read: change its permissions") from None
    except (av.FFmpegError, OSError, ValueError):
        raise SourceError(f"{path.name} is not a video that can be read: give an MP4, WebM, MKV, MOV or AVI") from None


def _stream(container: InputContainer, kind: TrackKind) -> AvStream | None:
    """Choose the track to read; a cover picture is not a video."""
    stream = container.streams.best(kind)
    if not isinstance(stream, av.VideoStream | av.AudioStream) or stream.disposition & Disposition.attached_pic:
        return None
    return stream


def _seconds(container: InputContainer, *streams: AvStream | None) -> float:
    if container.duration:
        return container.duration / av.time_base
    lengths = [float(s.duration * s.time_base) for s in streams if s is not None and s.duration and s.time_base]
    return max(lengths, default=0.0)


def _packets(container: InputContainer, stream: AvStream, patience: int) -> Iterator[Packet[Stream] | None]:
    """Packets of one track, None for each place where the container itself is damaged."""
    for _ in range(patience):
        try:
            yield from container.demux(stream)
        except (av.FFmpegError, ValueError):
            yield None
        else:
            return


def _missing(kind: TrackKind) -> Iterator[MediaItem]:
    reason = Reason.NO_AUDIO if kind == "audio" else Reason.NO_VIDEO
    yield TrackFault(kind, reason, f"the clip has no {kind}", 0.0)


def _too_large(width: int, height: int) -> str:
    return f"pictures of {width}x{height} are larger than is read here: scale the clip down"


def item_time(item: MediaItem) -> float:
    """When an item was captured, a fault when it was told: what items are ordered by."""
    return item.arrival if isinstance(item, TrackFault) else item.stamp.capture
