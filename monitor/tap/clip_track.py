"""One track of a recorded clip, decoded in the order of its capture times.

Each track is read through a container of its own, so a badly interleaved file costs no memory and the order is exact.
Whatever FFmpeg cannot make sense of is a fault of the track, never an error of the reader.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import cast

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from monitor.tap.clip_file import DECODERS, MEDIA_ERRORS, AvStream, OpenFile, TrackInfo, open_clip, stream_of
from monitor.tap.clip_time import Splices, Timeline
from monitor.tap.media.config import ClipLimits
from monitor.tap.media.formats import AudioCutter, to_video_frame
from monitor.types import SAMPLE_RATE_HZ, AudioBlock, FloatArray, MediaItem, Reason, TrackFault

_DEFAULT_FRAME_SECONDS = 0.04
# Of sound that is taken for sound.
_MIN_RATE_HZ, _MAX_RATE_HZ = 4_000, 768_000


class ClipTrack:
    """Decodes a track of a clip; damage and oversized pictures are each reported once as a fault."""

    def __init__(self, file: OpenFile, track: TrackInfo, limits: ClipLimits, splices: Splices | None = None) -> None:
        self._file, self._track, self._limits = file, track, limits
        self._kind = track.kind
        self._timeline = Timeline(splices)
        self._cutter = AudioCutter()
        self._faulted = False
        self._latest_capture = 0.0

    def read(self) -> Iterator[MediaItem]:
        """Yield the track's items in order; raises `SourceError` where the file cannot be opened."""
        if self._track.codec is None:
            yield self._fault(Reason.UNSUPPORTED_CODEC, f"the {self._kind} is of a codec that cannot be decoded here")
            return
        with open_clip(self._file, self._limits) as container:
            stream = stream_of(container, self._track)
            context = stream.codec_context
            context.thread_count = 1
            if isinstance(stream, av.VideoStream):
                width, height = stream.codec_context.width, stream.codec_context.height
                if self._oversized(width, height):
                    yield self._fault(Reason.FRAME_TOO_LARGE, _too_large(width, height))
                    return
            allowed = {"max_pixels": str(self._limits.max_pixels), "codec_whitelist": DECODERS}
            context.options = {**context.options, **allowed}
            self._latest_capture = float((stream.start_time or 0) * (stream.time_base or 0))
            yield from self._decode(container, stream)

    def _decode(self, container: InputContainer, stream: AvStream) -> Iterator[MediaItem]:
        errors = 0
        for packet in _packets(container, stream, self._limits.max_bad_packets):
            frames = self._frames(packet)
            errors = 0 if frames else errors
            for frame in frames or []:
                if isinstance(frame, av.VideoFrame) and self._oversized(frame.width, frame.height):
                    yield self._fault(Reason.FRAME_TOO_LARGE, _too_large(frame.width, frame.height))
                    return
                items = self._items(frame)
                yield from items if items is not None else self._damaged()
            if frames is None:
                errors += 1
                yield from self._damaged()
                if errors >= self._limits.max_bad_packets:
                    return
        items = self._items(None)
        yield from items if items is not None else self._damaged()

    def _frames(self, packet: Packet[Stream] | None) -> list[av.VideoFrame | av.AudioFrame] | None:
        """Decode one packet; None when it cannot be."""
        try:
            return cast(list[av.VideoFrame | av.AudioFrame], packet.decode()) if packet is not None else None
        except MEDIA_ERRORS:
            return None

    def _items(self, frame: av.VideoFrame | av.AudioFrame | None) -> list[MediaItem] | None:
        """Convert a frame, or with None what is left of the sound; None when it cannot be."""
        try:
            if frame is None:
                return list(self._blocks(self._cutter.flush()))
            if frame.is_corrupt:
                return None
            if isinstance(frame, av.AudioFrame):
                if not _MIN_RATE_HZ <= frame.sample_rate <= _MAX_RATE_HZ:
                    # A second of sound at one sample a second would become 16,000 samples for each of its own.
                    return None
                return list(self._blocks(self._cutter.push(frame)))
            return list(self._pictures(frame))
        except MEDIA_ERRORS:
            return None

    def _pictures(self, frame: av.VideoFrame) -> Iterator[MediaItem]:
        unit = frame.time_base or Fraction(0)
        seconds = float(frame.pts * unit) if frame.pts is not None else None
        duration = float(frame.duration * unit) or _DEFAULT_FRAME_SECONDS
        stamp = self._timeline.place(seconds, duration)
        if stamp is not None:
            picture = to_video_frame(frame, stamp)
            self._latest_capture = stamp.capture
            yield picture

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
        except (*MEDIA_ERRORS, IndexError):
            # PyAV looks up the stream of a packet by its number, and a damaged file invents streams.
            yield None
        else:
            return


def _too_large(width: int, height: int) -> str:
    return f"pictures of {width}x{height} are larger than is read here: scale the clip down"
