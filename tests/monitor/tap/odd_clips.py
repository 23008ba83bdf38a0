"""Clips that phones, recorders and accidents make: turned, of several tracks, in odd layouts, damaged."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

from tests.monitor.tap.clips import SOUND_RATE


@dataclass(frozen=True)
class Sound:
    """A track with a tone of `hz`, at `gains` on its channels."""

    hz: float
    gains: Sequence[float] = (1.0,)
    layout: str = "mono"
    codec: str = "pcm_s16le"
    disposition: Disposition = field(default_factory=lambda: Disposition(0))


@dataclass(frozen=True)
class Picture:
    """A track of pictures that are as bright as `luma`, or are given."""

    luma: int | NDArray[np.uint8]
    codec: str = "ffv1"
    degrees: int = 0
    mirrored: bool = False
    flipped: bool = False
    disposition: Disposition = field(default_factory=lambda: Disposition(0))


def write_tracks(path: Path, tracks: Sequence[Sound | Picture], seconds: float = 1.0) -> Path:
    """Write a clip with these tracks, in their order."""
    with av.open(str(path), "w") as out:
        streams = [_stream(out, track) for track in tracks]
        for stream, track in zip(streams, tracks, strict=True):
            frames = _pictures(track, seconds) if isinstance(track, Picture) else _sounds(track, seconds)
            for frame in [*frames, None]:
                out.mux(stream.encode(frame))
    return path


def _stream(out: av.container.OutputContainer, track: Sound | Picture) -> av.VideoStream | av.AudioStream:
    if isinstance(track, Sound):
        sound = out.add_stream(track.codec, rate=SOUND_RATE, layout=track.layout)
        assert isinstance(sound, av.AudioStream)
        sound.disposition = track.disposition
        return sound
    stream = out.add_stream(track.codec, rate=25)
    assert isinstance(stream, av.VideoStream)
    stream.height, stream.width = _shown(track).shape
    stream.pix_fmt = "yuv420p"
    stream.disposition = track.disposition
    if track.degrees or track.mirrored or track.flipped:
        stream.set_display_rotation(track.degrees, hflip=track.mirrored, vflip=track.flipped)
    return stream


def _shown(track: Picture) -> NDArray[np.uint8]:
    return track.luma if isinstance(track.luma, np.ndarray) else np.full((48, 64), track.luma, np.uint8)


def _pictures(track: Picture, seconds: float) -> list[av.VideoFrame]:
    luma = _shown(track)
    grey = np.full((luma.shape[0] // 2, luma.shape[1]), 128, np.uint8)
    frames = []
    for n in range(round(seconds * 25)):
        frame = av.VideoFrame.from_ndarray(np.concatenate([luma, grey]), format="yuv420p")
        frame.pts, frame.time_base = n, Fraction(1, 25)
        frames.append(frame)
    return frames


def _sounds(track: Sound, seconds: float) -> list[av.AudioFrame]:
    frames = []
    for first in range(0, round(seconds * SOUND_RATE), 960):
        at = (first + np.arange(960)) / SOUND_RATE
        tone = 12_000 * np.sin(2 * np.pi * track.hz * at)
        interleaved = np.stack([gain * tone for gain in track.gains], axis=1).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(interleaved, format="s16", layout=track.layout)
        frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, first, Fraction(1, SOUND_RATE)
        frames.append(frame)
    return frames


def without_decoder(clip: Path, sound: int | None = None, picture: bool = False) -> Path:
    """Give the audio track `sound` of an MP4 (from 0), or its pictures, a codec that nobody decodes."""
    data = clip.read_bytes()
    if sound is not None:
        at = -1
        for _ in range(sound + 1):
            at = data.index(b"mp4a", at + 1)
        box = data.index(b"esds", at)
        data = data[:at] + b"apac" + data[at + 4 : box] + b"xsds" + data[box + 4 :]
    if picture:
        at = data.index(b"avc1", data.index(b"moov"))
        data = data[:at] + b"xvc9" + data[at + 4 :]
    clip.write_bytes(data)
    return clip


def damage(data: bytes, seed: int) -> bytes:
    """Cut a file short, or flip bits anywhere or in its header."""
    chance = random.Random(seed)
    if seed % 3 == 0:
        return data[: chance.randrange(1, len(data))]
    flipped = bytearray(data)
    for _ in range(chance.choice([1, 5, 30, 200])):
        at = chance.randrange(min(len(data), 3000) if seed % 3 == 1 else len(data))
        flipped[at] ^= 1 << chance.randrange(8)
    return bytes(flipped)
