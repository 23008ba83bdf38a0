"""Which clip is sent, and the stream made of it: 1280x720 at 30 frames, VP8 and Opus, encoded once, then looped.

A loop is a whole number of tenths of a second, so that pictures and sound begin again at the same moment and stay
together however long it runs. A little noise is laid over the pictures: a clip that was scaled up is too easy to
decode, and a camera has noise.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from monitor.tap.media.source import SourceError
from monitor.tap.replay import probe_clip, read_clip
from monitor.types import AudioBlock, ByteArray, FloatArray, VideoFrame

WIDTH, HEIGHT, FPS = 1280, 720, 30
BIT_RATE = 1_500_000
OPUS_RATE_HZ = 48_000
SOURCE_RATE = 16_000
OPUS_FRAMES_PER_SECOND = 50
LOOP_SECONDS = 12.0
MIN_LOOP_SECONDS = 1.0
CLIP_SECONDS = (8.0, 60.0)
GREY = 128
VPX_OPTIONS = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "auto-alt-ref": "0"}

Planes = tuple[ByteArray, ByteArray, ByteArray]


@dataclass(frozen=True, slots=True)
class Stream:
    """Encoded frames, one 30th and one 50th of a second each; both tracks last `seconds`."""

    video: tuple[bytes, ...]
    audio: tuple[bytes, ...]

    @property
    def seconds(self) -> float:
        """Length of the loop."""
        return len(self.video) / FPS


def choose(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Choose the genuine clip of `SIDEWITNESS_DATA` with the largest picture, then the longest; None without data."""
    root = Path(environ.get("SIDEWITNESS_DATA", "../shared/data"))
    try:
        with (root / "clips.csv").open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if _is_fit(row)]
    except (OSError, KeyError, ValueError):
        return None
    found = [(root / row["path"], float(row["seconds"])) for row in rows if (root / row["path"]).is_file()]
    return min(found, key=lambda one: (-_pixels(one[0]), -one[1], one[0].name), default=(None, 0.0))[0]


def _is_fit(row: Mapping[str, str]) -> bool:
    low, high = CLIP_SECONDS
    return row["label"] == row["method"] == "real" and row["audio"] == "yes" and low <= float(row["seconds"]) <= high


def _pixels(path: Path) -> int:
    try:
        info = probe_clip(path)
    except SourceError:
        return 0
    return info.width * info.height


def prepare(clip: Path | None, out: Path, progress: Callable[[float], None] = lambda _: None) -> Stream:
    """Write the stream of a clip (of a generated pattern for None) to the WebM file `out`, and give it.

    Raises `SourceError` when the clip cannot be read or has less than a second of pictures with sound. `progress` is
    called with the fraction done.
    """
    seconds, sound, frames = pictures(clip)
    with av.open(str(out), "w", format="webm") as file:
        video = file.add_stream("libvpx", rate=FPS, options=VPX_OPTIONS)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.bit_rate, video.gop_size = BIT_RATE, 3 * FPS
        video.codec_context.thread_count = 1
        audio = file.add_stream("libopus", rate=OPUS_RATE_HZ, layout="mono")
        for number, frame in enumerate(frames):
            file.mux(video.encode(frame))
            file.mux(audio.encode(_block(sound, number)))
            progress((number + 1) / (seconds * FPS))
        file.mux(video.encode(None))
        file.mux(audio.encode(None))
    return load(out)


def pictures(clip: Path | None) -> tuple[float, FloatArray, Iterator[av.VideoFrame]]:
    """Give what a stream is encoded from: its seconds, its sound at 16 kHz, its pictures; see `prepare`."""
    if clip is None:
        seconds, sound, planes = generated()
    else:
        seconds, sound = _sound(clip)
        planes = _pictures(clip, seconds)
    return seconds, sound, (_frame(each, number) for number, each in enumerate(planes))


def load(path: Path) -> Stream:
    """Read the encoded frames of a stream that `prepare` wrote, cut to whole tenths of a second."""
    packets: dict[str, list[bytes]] = {"video": [], "audio": []}
    with av.open(str(path)) as file:
        for packet in file.demux():
            if packet.size:
                packets[packet.stream.type].append(bytes(packet))
    tenths = min(len(packets["video"]) // 3, len(packets["audio"]) // 5)
    if tenths == 0:
        raise SourceError(f"{path.name} holds no loop of pictures with sound: give another --clip")
    return Stream(tuple(packets["video"][: 3 * tenths]), tuple(packets["audio"][: 5 * tenths]))


def generated() -> tuple[float, FloatArray, Iterator[Planes]]:
    """Make moving bars and a pulsing tone: seconds, samples at 16 kHz and planes. No face is in it."""
    seconds = 6.0
    at = np.arange(int(seconds * SOURCE_RATE)) / SOURCE_RATE
    sound = (0.3 * np.sin(2 * np.pi * 220 * at) * (0.5 + 0.5 * np.sin(2 * np.pi * 4 * at))).astype(np.float32)
    column = np.arange(WIDTH)

    def planes() -> Iterator[Planes]:
        chroma = np.full((HEIGHT // 2, WIDTH // 2), GREY, np.uint8)
        for number in range(int(seconds * FPS)):
            bars = (40 + 150 * (((column + 6 * number) // 160) % 2)).astype(np.uint8)
            yield np.broadcast_to(bars, (HEIGHT, WIDTH)), chroma, chroma

    return seconds, sound, planes()


def _sound(clip: Path) -> tuple[float, FloatArray]:
    """Return the seconds of the loop and its samples at 16 kHz."""
    samples = np.zeros(int(LOOP_SECONDS * SOURCE_RATE), np.float32)
    last_sound_seconds = last_picture_seconds = 0.0
    for item in read_clip(clip):
        if isinstance(item, VideoFrame):
            last_picture_seconds = item.stamp.capture
            if last_picture_seconds > LOOP_SECONDS:
                break
        elif isinstance(item, AudioBlock):
            first = max(round(item.stamp.capture * SOURCE_RATE), 0)
            room = samples[first : first + item.samples.size]
            room[:] = item.samples[: room.size]
            last_sound_seconds = item.stamp.capture
    seconds = int(min(last_sound_seconds, last_picture_seconds, LOOP_SECONDS) * 10) / 10
    if seconds < MIN_LOOP_SECONDS:
        raise SourceError(f"{clip.name} has less than a second of pictures with sound: give another --clip")
    return seconds, samples


def _pictures(clip: Path, seconds: float) -> Iterator[Planes]:
    """Yield the clip's pictures at 30 a second, each the newest one shown at that moment."""
    count, number, shown = round(seconds * FPS), 0, None
    for item in read_clip(clip):
        if not isinstance(item, VideoFrame):
            continue
        if shown is not None:
            while number < count and number / FPS < item.stamp.capture:
                yield shown
                number += 1
        if number >= count:
            return
        shown = _fit(item)
    while shown is not None and number < count:
        yield shown
        number += 1


def _fit(frame: VideoFrame) -> Planes:
    """Scale a picture into 1280x720, the rest grey."""
    scale = min(WIDTH / frame.width, HEIGHT / frame.height)
    size = (round(frame.width * scale / 4) * 4, round(frame.height * scale / 4) * 4)
    halves = (size[0] // 2, size[1] // 2)
    return (
        _place(frame.y, size, (WIDTH, HEIGHT)),
        _place(frame.u, halves, (WIDTH // 2, HEIGHT // 2)),
        _place(frame.v, halves, (WIDTH // 2, HEIGHT // 2)),
    )


def _place(plane: ByteArray, size: tuple[int, int], whole: tuple[int, int]) -> ByteArray:
    scaled = np.asarray(Image.fromarray(np.ascontiguousarray(plane)).resize(size, Image.Resampling.BILINEAR))
    out = np.full((whole[1], whole[0]), GREY, np.uint8)
    x, y = (whole[0] - size[0]) // 2, (whole[1] - size[1]) // 2
    out[y : y + size[1], x : x + size[0]] = scaled
    return out


_NOISE = np.random.default_rng(7).integers(-3, 4, (HEIGHT + 64, WIDTH + 64)).astype(np.int16)


def _frame(planes: Planes, number: int) -> av.VideoFrame:
    x, y = (number * 23) % 64, (number * 41) % 64
    luma = np.clip(planes[0] + _NOISE[y : y + HEIGHT, x : x + WIDTH], 0, 255).astype(np.uint8)
    halves = [plane.reshape(HEIGHT // 4, WIDTH) for plane in planes[1:]]
    frame = av.VideoFrame.from_ndarray(np.concatenate([luma, *halves]), format="yuv420p")
    frame.pts, frame.time_base = number, Fraction(1, FPS)
    return frame


def _block(sound: FloatArray, number: int) -> av.AudioFrame:
    """Return the samples under one picture."""
    first, last = (n * SOURCE_RATE // FPS for n in (number, number + 1))
    samples = (np.clip(sound[first:last], -1, 1) * 32767).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = SOURCE_RATE, first, Fraction(1, SOURCE_RATE)
    return frame
