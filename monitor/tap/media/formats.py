"""From decoded FFmpeg frames to the product's values: planes without a copy, audio in even 16 kHz blocks.

The planes are read-only views of the decoder's own buffers, which live as long as the views do.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import av
import numpy as np
from av.sidedata.sidedata import SideData, SideDataContainer
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange

from monitor.tap.media.downmix import Downmix
from monitor.tap.media.orientation import UPRIGHT, Orientation
from monitor.tap.media.resampler import Resampler
from monitor.types import SAMPLE_RATE_HZ, ByteArray, FloatArray, Stamp, VideoFrame

BLOCK_SAMPLES = 480
MAX_GAP_SECONDS = 0.02
# How often the channels of a stream are compared: at every frame it would cost more than resampling.
_LISTEN_SECONDS = 0.1

# The formats that are taken as they are, and whether they are full range.
_FULL_RANGE = {"yuv420p": False, "yuvj420p": True}


def to_video_frame(frame: av.VideoFrame, stamp: Stamp, damaged: bool = False) -> VideoFrame:
    """Convert a decoded picture: its planes without a copy, or of a yuv420p conversion where it is not planar 4:2:0.

    What is converted comes out in limited range. A picture that says that it is turned or mirrored comes out upright.
    """
    orientation = _orientation(frame)
    full_range = frame.color_range == ColorRange.JPEG
    if frame.format.name not in _FULL_RANGE:
        frame = frame.reformat(
            format="yuv420p",
            src_color_range=ColorRange.JPEG if full_range else None,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )
        full_range = False
    full_range = full_range or _FULL_RANGE[frame.format.name]
    y, u, v = (orientation.apply(_plane(p)) for p in frame.planes)
    return VideoFrame(stamp, y, u, v, full_range, damaged)


def _orientation(frame: av.VideoFrame) -> Orientation:
    # Not the frame's own container: the two hold each other, and pictures of megabytes would wait for the collector.
    matrix = SideDataContainer(frame).get("DISPLAYMATRIX")  # type: ignore[call-arg]
    return Orientation.of_matrix(bytes(matrix)) if isinstance(matrix, SideData) else UPRIGHT


def _plane(plane: VideoPlane) -> ByteArray:
    rows: ByteArray = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    view = rows[: plane.height, : plane.width]
    view.flags.writeable = False
    return view


class AudioCutter:
    """Makes decoded audio 16 kHz mono float32 and cuts it into blocks of 30 ms, timed by their first sample.

    Time is whatever clock the frames' pts are on. A gap or a step of more than 20 ms starts a new block: samples are
    never moved across it. After an error of FFmpeg it starts afresh.
    """

    def __init__(self) -> None:
        self._format: tuple[str, str, int] | None = None
        self._pieces: list[FloatArray] = []
        self._start, self._buffered, self._mixing = 0.0, 0, False
        self._reset()

    def push(self, frame: av.AudioFrame) -> Iterator[tuple[float, FloatArray]]:
        """Yield (seconds of the first sample, float32 (480,)); shorter only where a gap or new format cuts a block.

        Raises `av.FFmpegError` or `ValueError` for sound that cannot be converted.
        """
        source_format = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._format not in (None, source_format):
            yield from self.flush()
        self._format = source_format
        try:
            mono = self._mono(frame)
        except Exception:
            self._reset()
            raise
        if mono is not frame and not self._mixing:
            yield from self._drain()
            self._mixing = True
        for out in self._resample(mono):
            yield from self._cut(out)

    def flush(self) -> Iterator[tuple[float, FloatArray]]:
        """Yield what is left and start afresh; raises as `push` does."""
        yield from self._drain()
        self._reset()

    def _drain(self) -> Iterator[tuple[float, FloatArray]]:
        for out in self._resample(None):
            yield from self._cut(out)
        if self._buffered:
            yield self._start, np.concatenate(self._pieces)
        self._resampler = Resampler()
        self._pieces, self._buffered = [], 0

    def _reset(self) -> None:
        self._resampler = Resampler()
        self._downmix: Downmix | None = None
        self._mixing = False
        self._unheard_seconds = _LISTEN_SECONDS
        self._pieces = []
        self._start = 0.0
        self._buffered = 0

    def _resample(self, frame: av.AudioFrame | None) -> list[av.AudioFrame]:
        try:
            return self._resampler.resample(frame)
        except Exception:
            self._reset()
            raise

    def _mono(self, frame: av.AudioFrame) -> av.AudioFrame:
        """Mix a frame of several channels where their sum loses the voice; the sum itself is left to FFmpeg."""
        if frame.layout.nb_channels < 2:
            return frame
        self._downmix = self._downmix or Downmix([channel.name for channel in frame.layout.channels])
        if not self._mixing:
            self._unheard_seconds += frame.samples / frame.sample_rate
            if self._unheard_seconds < _LISTEN_SECONDS:
                return frame
            heard, self._unheard_seconds = self._unheard_seconds, 0.0
            if not self._downmix.loses_voice(_samples(frame), heard):
                return frame
        mixed = self._downmix.mix(_samples(frame), frame.sample_rate)
        mono = av.AudioFrame.from_ndarray(np.ascontiguousarray(mixed)[None], format="flt", layout="mono")
        mono.sample_rate, mono.pts = frame.sample_rate, frame.pts
        if frame.time_base is not None:
            mono.time_base = frame.time_base
        return mono

    def _cut(self, out: av.AudioFrame) -> Iterator[tuple[float, FloatArray]]:
        samples = np.array(out.to_ndarray()[0], np.float32)
        expected = self._start + self._buffered / SAMPLE_RATE_HZ
        start = expected if out.time is None else out.time
        if self._buffered and abs(start - expected) > MAX_GAP_SECONDS:
            yield self._start, np.concatenate(self._pieces)
            self._pieces, self._buffered = [], 0
        if not self._buffered:
            self._start = start
        self._pieces.append(samples)
        self._buffered += samples.size
        if self._buffered < BLOCK_SAMPLES:
            return
        joined = np.concatenate(self._pieces)
        cuts = range(0, joined.size - joined.size % BLOCK_SAMPLES + 1, BLOCK_SAMPLES)
        for first, last in pairwise(cuts):
            yield self._start + first / SAMPLE_RATE_HZ, joined[first:last]
        rest = joined[cuts[-1] :]
        self._start += cuts[-1] / SAMPLE_RATE_HZ
        self._pieces, self._buffered = ([rest], rest.size) if rest.size else ([], 0)


def _samples(frame: av.AudioFrame) -> FloatArray:
    """Return the samples (C, N) of a frame as float32 in [-1, 1]."""
    raw = frame.to_ndarray()
    if not frame.format.is_planar:
        raw = raw.reshape(-1, frame.layout.nb_channels).T
    if raw.dtype.kind == "f":
        return raw.astype(np.float32, copy=False)
    half = np.float32(1 << 8 * raw.dtype.itemsize - 1)
    samples: FloatArray = raw.astype(np.float32)
    if raw.dtype.kind == "u":
        samples -= half
    samples /= half
    return samples
