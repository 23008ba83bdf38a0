"""The clip that everybody publishes: a genuine speaker of the research clips, or a made-up picture without anybody."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.e2e.media import marry
from tests.e2e.test_call import GENUINE
from tests.monitor.tap.clips import picture_frame, sound_frame

SIDE_PX = 256
FPS = 25
RATE_HZ = 48_000
BLOCK_SAMPLES = 960


@dataclass(frozen=True)
class Clip:
    """`webm` holds VP8 and Opus, `i420` and `s16` (mono, 48 kHz) the same decoded.

    `h264` (Annex B, baseline) and `opus` hold frames for those who packetise by themselves, each after its length in
    four bytes.

    `speaks` says whether it shows a person.
    """

    webm: Path
    i420: Path
    s16: Path
    h264: Path
    opus: Path
    speaks: bool
    seconds: float


def make_clip(folder: Path, seconds: float) -> Clip:
    """Write the clip in every form that somebody publishes it from."""
    speaks = GENUINE.exists()
    paths = {kind: folder / f"clip.{kind}" for kind in ("webm", "i420", "s16", "h264", "opus")}
    made = Clip(**paths, speaks=speaks, seconds=seconds)
    if speaks:
        marry(GENUINE, GENUINE, seconds, folder / "long.mp4")
        _decode(folder / "long.mp4", made)
    else:
        _draw(made)
    _encode(made)
    _frames(made)
    return made


def _decode(source: Path, clip: Clip) -> None:
    frames = round(clip.seconds * FPS)
    with av.open(source) as opened, clip.i420.open("wb") as file:
        for frame, _ in zip(opened.decode(video=0), range(frames), strict=False):
            file.write(frame.reformat(SIDE_PX, SIDE_PX, "yuv420p").to_ndarray().tobytes())
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
    with av.open(source) as opened:
        sound = [out.to_ndarray()[0] for frame in opened.decode(audio=0) for out in resampler.resample(frame)]
    clip.s16.write_bytes(np.concatenate(sound)[: round(clip.seconds * RATE_HZ)].tobytes())


def _draw(clip: Clip) -> None:
    with clip.i420.open("wb") as file:
        for number in range(round(clip.seconds * FPS)):
            file.write(picture_frame(number / FPS, SIDE_PX, SIDE_PX).to_ndarray().tobytes())
    blocks = range(round(clip.seconds * RATE_HZ / BLOCK_SAMPLES))
    sound = [sound_frame(n * BLOCK_SAMPLES / RATE_HZ, BLOCK_SAMPLES).to_ndarray()[0] for n in blocks]
    clip.s16.write_bytes(np.concatenate(sound).astype(np.int16).tobytes())


def _encode(clip: Clip) -> None:
    """VP8 as in a call: no look-ahead, a key frame every two seconds, 600 kbit/s."""
    pictures = np.fromfile(clip.i420, np.uint8).reshape(-1, SIDE_PX * 3 // 2, SIDE_PX)
    sound = np.fromfile(clip.s16, np.int16)
    options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
    with av.open(clip.webm, "w") as out:
        video = out.add_stream("libvpx", rate=FPS, options=options)
        video.width = video.height = SIDE_PX
        video.pix_fmt, video.bit_rate, video.gop_size = "yuv420p", 600_000, 2 * FPS
        audio = out.add_stream("libopus", rate=RATE_HZ, layout="mono")
        audio.bit_rate = 32_000
        for number, planes in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(video.encode(frame))
            first, last = (round(n * RATE_HZ / FPS) for n in (number, number + 1))
            for at in range(first, min(last, sound.size), BLOCK_SAMPLES):
                block = av.AudioFrame.from_ndarray(sound[None, at : at + BLOCK_SAMPLES], format="s16", layout="mono")
                block.sample_rate, block.pts, block.time_base = RATE_HZ, at, Fraction(1, RATE_HZ)
                out.mux(audio.encode(block))
        out.mux(video.encode(None))
        out.mux(audio.encode(None))


def _frames(clip: Clip) -> None:
    """H.264 with a key frame and its parameter sets every second, and the Opus packets of the WebM."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width = encoder.height = SIDE_PX
    encoder.pix_fmt, encoder.bit_rate, encoder.gop_size = "yuv420p", 600_000, FPS
    encoder.time_base, encoder.framerate, encoder.profile = Fraction(1, FPS), Fraction(FPS), "Baseline"
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "repeat-headers=1:scenecut=0"}
    pictures = np.fromfile(clip.i420, np.uint8).reshape(-1, SIDE_PX * 3 // 2, SIDE_PX)
    encoded: list[bytes] = []
    for number, planes in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        encoded += [bytes(packet) for packet in encoder.encode(frame)]
    with av.open(clip.webm) as opened:
        sound = [bytes(packet) for packet in opened.demux(audio=0) if packet.size]
    for path, frames in ((clip.h264, encoded), (clip.opus, sound)):
        path.write_bytes(b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames))
