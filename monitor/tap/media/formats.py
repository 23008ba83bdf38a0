"""From decoded FFmpeg frames to the product's values: planes without a copy, audio in even 16 kHz blocks.

The planes are read-only views of the decoder's own buffers, which live as long as the views do.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import av
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange

from monitor.tap.media.resampler import Resampler
from monitor.types import SAMPLE_RATE_HZ, ByteArray, FloatArray, Stamp, VideoFrame

BLOCK_SAMPLES = 480
MAX_GAP_SECONDS = 0.02

# The formats that are taken as they are, and whether they are full range.
_FULL_RANGE = {"yuv420p": False, "yuvj420p": True}


def to_video_frame(frame: av.VideoFrame, stamp: Stamp, damaged: bool = False) -> VideoFrame:
    """Convert a decoded picture: its planes without a copy, or of a yuv420p conversion where it is not planar 4:2:0.

    What is converted comes out in limited range. Rotation metadata is ignored.
    """
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
    y, u, v = (_plane(p) for p in frame.planes)
    return VideoFrame(stamp, y, u, v, full_range, damaged)


def _plane(plane: VideoPlane) -> ByteArray:
    rows: ByteArray = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    view = rows[: plane.height, : plane.width]
    view.flags.writeable = False
    return view


class AudioCutter:
    """Resamples decoded audio to 16 kHz mono float32 and cuts it into blocks of 30 ms, timed by their first sample.

    Time is whatever clock the frames' pts are on. A gap or a step of more than 20 ms starts a new block: samples are
    never moved across it.
    """

    def __init__(self) -> None:
        self._resampler = Resampler()
        self._format: tuple[str, str, int] | None = None
        self._pieces: list[FloatArray] = []
        self._start = 0.0
        self._buffered = 0

    def push(self, frame: av.AudioFrame) -> Iterator[tuple[float, FloatArray]]:
        """Yield (seconds of the first sample, float32 (480,)); shorter only where a gap or new format cuts a block."""
        source_format = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._format not in (None, source_format):
            yield from self.flush()
        self._format = source_format
        for out in self._resampler.resample(frame):
            yield from self._cut(out)

    def flush(self) -> Iterator[tuple[float, FloatArray]]:
        """Yield what is left and start afresh."""
        for out in self._resampler.resample(None):
            yield from self._cut(out)
        if self._buffered:
            yield self._start, np.concatenate(self._pieces)
        self._pieces, self._buffered = [], 0
        self._resampler = Resampler()

    def _cut(self, out: av.AudioFrame) -> Iterator[tuple[float, FloatArray]]:
        samples = np.array(out.to_ndarray()[0], np.float32)
        expected = self._start + self._buffered / SAMPLE_RATE_HZ
        start = float(out.pts * out.time_base) if out.pts is not None and out.time_base else expected
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
