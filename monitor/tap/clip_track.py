"""One track of a recorded clip, decoded in the order of its capture times.

Each track is read through a container of its own, so a badly interleaved file costs no memory and the order is exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
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
)

# No playlists and no network: a clip must not make the reader open anything but itself.
_FORMATS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf,wav,mp3,flac,aac,yuv4mpegpipe,ivf,mxf,nut,h264,m4v"
_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
_UNCERTAINTY_SECONDS = 0.001
# A larger step back is taken for a splice, a smaller one for a reordered packet.
_SPLICE_SECONDS = 1.0
_DEFAULT_FRAME_SECONDS = 0.04

AvStream = av.VideoStream | av.AudioStream


def open_clip(path: Path) -> InputContainer:
    """Open a clip; raises `SourceError` where it is not one."""
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


def select_stream(container: InputContainer, kind: TrackKind) -> AvStream | None:
    """Select the track to read, None where there is none; a cover picture is not a video."""
    stream = container.streams.best(kind)
    if not isinstance(stream, av.VideoStream | av.AudioStream) or stream.disposition & Disposition.attached_pic:
        return None
    return stream


class Timeline:
    """Makes pts monotonic: items a little in the past are left out, a large step back (a splice) is re-anchored."""

    def __init__(self) -> None:
        self._shift = 0.0
        self._last: float | None = None
        self._duration = 0.0

    def place(self, seconds: float | None, duration: float) -> Stamp | None:
        """Stamp an item of `duration` whose pts is `seconds` (None: unknown); None when it is to be left out."""
        capture = seconds
        if self._last is not None:
            end = self._last + self._duration
            capture = end if seconds is None else seconds + self._shift
            if capture <= self._last - _SPLICE_SECONDS:
                self._shift += end - capture
                capture = end
            elif capture <= self._last and seconds is not None:
                return None
        capture = capture or 0.0
        self._last, self._duration = capture, duration
        return Stamp(capture, capture, _UNCERTAINTY_SECONDS, ClockState.MAPPED, capture)


class ClipTrack:
    """Decodes the track `kind` of a clip; damage and oversized pictures are each reported once as a fault."""

    def __init__(self, path: Path, kind: TrackKind, limits: ClipLimits) -> None:
        self._path, self._kind, self._limits = path, kind, limits
        self._timeline = Timeline()
        self._cutter = AudioCutter()
        self._faulted = False
        self._latest_capture = 0.0

    def read(self) -> Iterator[MediaItem]:
        """Yield the track's items in order; raises `SourceError` where the file cannot be opened."""
        with open_clip(self._path) as container:
            stream = cast(AvStream, select_stream(container, self._kind))
            context = stream.codec_context
            context.thread_count = 1
            if isinstance(stream, av.VideoStream):
                width, height = stream.codec_context.width, stream.codec_context.height
                if self._oversized(width, height):
                    yield self._fault(Reason.FRAME_TOO_LARGE, _too_large(width, height))
                    return
                context.options = {**context.options, "max_pixels": str(self._limits.max_pixels)}
            self._latest_capture = float((stream.start_time or 0) * (stream.time_base or 0))
            yield from self._decode(container, stream)

    def _decode(self, container: InputContainer, stream: AvStream) -> Iterator[MediaItem]:
        errors = 0
        for packet in _packets(container, stream, self._limits.max_bad_packets):
            frames = self._frames(packet)
            if frames is None:
                errors += 1
                yield from self._damaged()
                if errors >= self._limits.max_bad_packets:
                    return
                continue
            errors = 0 if frames else errors
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
        duration = float(frame.duration * unit) or _DEFAULT_FRAME_SECONDS
        stamp = self._timeline.place(seconds, duration)
        if stamp is not None:
            self._latest_capture = stamp.capture
            yield to_video_frame(frame, stamp)

    def _blocks(self, blocks: Iterator[tuple[float, FloatArray]]) -> Iterator[MediaItem]:
        for seconds, samples in blocks:
            stamp = self._timeline.place(seconds, samples.size / SAMPLE_RATE_HZ)
            if stamp is not None:
                self._latest_capture = stamp.capture
                yield AudioBlock(stamp, samples)

    def _damaged(self) -> Iterator[MediaItem]:
        if not self._faulted:
            self._faulted = True
            yield self._fault(Reason.DECODER_FAILED, f"some of the {self._kind} is damaged and was skipped")

    def _oversized(self, width: int, height: int) -> bool:
        return width * height > self._limits.max_pixels

    def _fault(self, reason: Reason, detail: str) -> TrackFault:
        return TrackFault(self._kind, reason, detail, self._latest_capture)


def _packets(container: InputContainer, stream: AvStream, max_errors: int) -> Iterator[Packet[Stream] | None]:
    """Yield the packets of one track, None for each place where the container itself is damaged."""
    for _ in range(max_errors):
        try:
            yield from container.demux(stream)
        except (av.FFmpegError, ValueError):
            yield None
        else:
            return


def _too_large(width: int, height: int) -> str:
    return f"pictures of {width}x{height} are larger than is read here: scale the clip down"
