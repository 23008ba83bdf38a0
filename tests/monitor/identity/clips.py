"""Real clips made over: smaller, blurred, coded again, two beside each other, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8]
SOUND = 16_000


def pictures(clip: Path) -> list[Picture]:
    """Every frame, (H, W, 3) RGB."""
    with av.open(str(clip)) as container:
        return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in container.decode(video=0)]


def voice(clip: Path) -> NDArray[np.int16]:
    """The sound, (N,) at 16 kHz."""
    resampler = av.AudioResampler("s16", "mono", SOUND)
    with av.open(str(clip)) as container:
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]).astype(np.int16)


def write(target: Path, frames: Sequence[Picture], sound: NDArray[np.int16], crf: int = 20) -> Path:
    """Write an MP4 of 25 frames a second."""
    height, width = frames[0].shape[0] // 2 * 2, frames[0].shape[1] // 2 * 2
    with av.open(str(target), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.options = {"crf": str(crf), "preset": "veryfast"}
        audio = container.add_stream("aac", rate=SOUND, layout="mono")
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[:height, :width]), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        block = av.AudioFrame.from_ndarray(sound[None], format="s16", layout="mono")
        block.sample_rate, block.pts, block.time_base = SOUND, 0, Fraction(1, SOUND)
        container.mux(audio.encode(block))
        container.mux(audio.encode(None))
    return target


def begun(clip: Path, target: Path, seconds: float) -> Path:
    """The first seconds of the clip, not coded again."""
    with av.open(str(clip)) as source, av.open(str(target), "w") as container:
        streams = {each.index: container.add_stream_from_template(each) for each in source.streams}
        for packet in source.demux():
            if packet.dts is not None and packet.time_base * packet.dts < seconds:
                packet.stream = streams[packet.stream.index]
                container.mux(packet)
    return target


def scaled(clip: Path, target: Path, size: float, crf: int = 20, skip: int = 0) -> Path:
    """The clip in another size, without its first frames."""
    return write(target, [_resized(p, size) for p in pictures(clip)[skip:]], voice(clip)[skip * SOUND // 25 :], crf)


def blurred(clip: Path, target: Path, size: float) -> Path:
    """The clip shrunk to `size` and enlarged again."""
    return write(target, [_resized(_resized(p, size), 1 / size) for p in pictures(clip)], voice(clip))


def beside(left: Path, right: Path, target: Path) -> Path:
    """Two people in one picture; the sound is that of the left one."""
    one = pictures(left)
    both = [np.concatenate(pair, axis=1) for pair in zip(one, _fitted(pictures(right), one[0]), strict=False)]
    return write(target, both, voice(left))


def after(first: Path, second: Path, target: Path) -> Path:
    """One clip cut onto the end of another."""
    frames = [*pictures(first), *_fitted(pictures(second), pictures(first)[0])]
    return write(target, frames, np.concatenate([voice(first), voice(second)]))


def _fitted(frames: list[Picture], like: Picture) -> list[Picture]:
    height, width = like.shape[:2]
    return [np.asarray(Image.fromarray(frame).resize((width, height))) for frame in frames]


def _resized(picture: Picture, size: float) -> Picture:
    height, width = picture.shape[:2]
    return np.asarray(Image.fromarray(picture).resize((max(round(width * size), 2), max(round(height * size), 2))))
