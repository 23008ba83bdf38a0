"""Small clips made on the spot: a flash and a beep at the same instants, in any shape the tests need."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.packet import Packet
from av.stream import Stream
from numpy.typing import NDArray

SOUND_RATE = 48_000


def flashes(at: float, every: float = 1.0, lasts: float = 0.1) -> bool:
    """Whether the flash and the beep are on at second `at`."""
    return at % every < lasts


def luma(at: float, width: int, height: int) -> NDArray[np.uint8]:
    """A grey picture with a moving bar, white while the flash is on; shape (H * 3 / 2, W), yuv420p."""
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = 235 if flashes(at) else 40
    bar = int(at * 50) % (width - 8)
    planes[: height // 8, bar : bar + 8] = 200
    return planes


def beep(first: float, samples: int) -> NDArray[np.int16]:
    """A tone of 1 kHz while the beep is on, else silence; shape (1, samples)."""
    at = first + np.arange(samples) / SOUND_RATE
    tone = 12000 * np.sin(2 * np.pi * 1000 * at) * ((at % 1.0) < 0.1)
    return tone.astype(np.int16)[None]


def picture_frame(at: float, width: int, height: int) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(luma(at, width, height), format="yuv420p")


def sound_frame(first: float, samples: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(beep(first, samples), format="s16", layout="mono")
    frame.sample_rate = SOUND_RATE
    return frame


def write_clip(
    path: Path,
    *,
    seconds: float = 2.0,
    fps: float = 25.0,
    size: tuple[int, int] = (320, 240),
    video: str | None = "mpeg4",
    audio: str | None = "aac",
    audio_from: float = 0.0,
    video_from: float = 0.0,
    times: list[float] | None = None,
    pixels: str = "yuv420p",
    gop: int = 12,
) -> Path:
    """Write a clip; `audio_from` and `video_from` delay a track, `times` makes the rate vary."""
    with av.open(str(path), "w") as out:
        pictures = out.add_stream(video, rate=30) if video else None
        sound = out.add_stream(audio, rate=SOUND_RATE, layout="mono") if audio else None
        packets: list[Packet[Stream]] = []
        if isinstance(pictures, av.VideoStream):
            pictures.width, pictures.height = size
            pictures.pix_fmt = pixels
            pictures.gop_size = gop
            pictures.codec_context.time_base = Fraction(1, 90_000 if video != "mpeg4" else 60_000)
            at = times if times is not None else [n / fps for n in range(int(seconds * fps))]
            for moment in at:
                frame = picture_frame(moment + video_from, *size).reformat(format=pixels)
                frame.time_base = pictures.codec_context.time_base
                frame.pts = round((moment + video_from) / frame.time_base)
                packets += pictures.encode(frame)
            packets += pictures.encode(None)
        if isinstance(sound, av.AudioStream):
            for first in range(0, int(seconds * SOUND_RATE), 960):
                sample = sound_frame(first / SOUND_RATE + audio_from, 960)
                sample.time_base = Fraction(1, SOUND_RATE)
                sample.pts = first + round(audio_from * SOUND_RATE)
                packets += sound.encode(sample)
            packets += sound.encode(None)
        # In the order of time, as whoever plays it while reading needs it.
        out.mux(sorted(packets, key=lambda packet: (packet.dts or 0) * (packet.time_base or 0)))
    return path
