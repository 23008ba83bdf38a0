"""What decoding a picture costs in VP8 and in H.264: the stream's pictures in both, at the same bit rate, by turns.

Encoded as browsers do while they call: VP8 by libvpx in its realtime settings; H.264 in the constrained baseline
profile without delay, with one reference, as OpenH264 writes it, by libx264. Decoded as the live path does, in one
thread. The codecs go round and round over the same pictures, so that a machine that is busy with other things is so
for both.

python -m monitor.lab.bench.decoding [ROUNDS] [CLIP]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import cast

import av
from av.video.codeccontext import VideoCodecContext

from monitor.lab.bench.clip import BIT_RATE, FPS, HEIGHT, VPX_OPTIONS, WIDTH, choose, pictures
from monitor.tap.media.config import TapConfig
from monitor.tap.media.decode import EncodedFrame, PictureDecoder

ROUNDS = 5
# Encoders and their options, by the name of the codec in SDP.
ENCODERS = {
    "VP8": ("libvpx", VPX_OPTIONS),
    "H264": (
        "libx264",
        {"preset": "veryfast", "tune": "zerolatency", "profile": "baseline", "x264-params": "ref=1:sliced-threads=0"},
    ),
}


@dataclass(frozen=True, slots=True)
class Decoding:
    """One codec: milliseconds of processor time a picture, the median of `rounds`, and their extremes."""

    codec: str
    kilobits_per_second: float
    milliseconds: float
    least: float
    most: float
    rounds: int


def encoded(codec: str, frames: Iterable[av.VideoFrame]) -> list[EncodedFrame]:
    """Encode pictures of the stream's size and rate, a key frame every three seconds."""
    name, options = ENCODERS[codec]
    context = cast(VideoCodecContext, av.CodecContext.create(name, "w"))
    context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    context.framerate, context.time_base = Fraction(FPS), Fraction(1, FPS)
    context.bit_rate, context.gop_size, context.thread_count, context.options = BIT_RATE, 3 * FPS, 1, options
    packets = [bytes(packet) for frame in (*frames, None) for packet in context.encode(frame) if packet.size]
    return [EncodedFrame("video", codec, data, n / FPS, n / FPS) for n, data in enumerate(packets)]


def measure(streams: dict[str, list[EncodedFrame]], rounds: int = ROUNDS) -> list[Decoding]:
    """Decode each stream once a round, in turn."""
    times: dict[str, list[float]] = {codec: [] for codec in streams}
    for _ in range(rounds):
        for codec, frames in streams.items():
            decoder = PictureDecoder(codec, TapConfig().max_pixels)
            began = time.thread_time()
            count = sum(len(decoder.decode(frame)) for frame in frames)
            times[codec].append(1000.0 * (time.thread_time() - began) / count)
    return [
        Decoding(codec, _kilobits(streams[codec]), median(found), min(found), max(found), rounds)
        for codec, found in times.items()
    ]


def _kilobits(frames: list[EncodedFrame]) -> float:
    return 8e-3 * sum(len(frame.data) for frame in frames) * FPS / len(frames)


def main(words: list[str]) -> None:
    """Measure and print one line a codec."""
    rounds = int(words[0]) if words else ROUNDS
    clip = Path(words[1]) if len(words) > 1 else choose()
    measured = measure({codec: encoded(codec, pictures(clip)[2]) for codec in ENCODERS}, rounds)
    for one in measured:
        span = f"{one.least:.2f} to {one.most:.2f} of {one.rounds} rounds"
        kbps, ratio = one.kilobits_per_second, one.milliseconds / measured[0].milliseconds
        sys.stdout.write(
            f"{one.codec:5} {one.milliseconds:.2f} ms a picture ({span}), {kbps:.0f} kbit/s, {ratio:.2f} of the first\n"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
