"""The seven perturbations, at five levels each, under which detectors of forged faces are compared.

After DeeperForensics-1.0 (Jiang et al., CVPR 2020), whose published program `add_distortion_to_video.py` gives the
kinds and the numbers; SpeechForensics (section 4.3, robustness) uses the same. Two of its names differ from what is
done there, and the names here say what is done: contrast is every colour multiplied, hence darker, and "JPEG" is a
smaller picture enlarged again, which SpeechForensics calls pixelation. As in both papers only pictures are changed:
sound passes untouched. Everything works on the planes of 4:2:0 video, so what was noise or blur in RGB is applied to
luma and to halved chroma alike.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar

import av
import numpy as np
from av.packet import Packet
from av.stream import Stream
from PIL import Image, ImageFilter

from monitor.lab.distortions.codec import open_decoder, open_encoder, to_codec_frame
from monitor.tap.media.formats import to_video_frame
from monitor.types import ByteArray, MediaItem, VideoFrame

LEVELS = 5
_BLOCK_PIXELS = 8
_BLOCK_AREA_PIXELS = 256
_FPS = 25


@dataclass(frozen=True, slots=True)
class Perturbation:
    """One kind of change at one level, 1 (least) to 5: a `monitor.lab.corpus.speech_features.Change`.

    What is drawn by chance follows from `seed`, the level and the clip's first picture, so a clip is always changed
    alike. `ValueError` for a level that does not exist.
    """

    level: int
    seed: int = 0
    kind: ClassVar[str]
    values: ClassVar[tuple[float, ...]]
    chance: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse levels that were never published."""
        if not 1 <= self.level <= LEVELS:
            raise ValueError(f"a level is 1 to {LEVELS}, not {self.level}")

    @property
    def value(self) -> float:
        """The published number of this level."""
        return self.values[self.level - 1]

    @property
    def name(self) -> str:
        """Part of the features' key."""
        return f"{self.kind}{self.level}" + (f"s{self.seed}" if self.chance else "")

    def __call__(self, items: Iterable[MediaItem]) -> Iterator[MediaItem]:
        """Yield the items with every picture changed; stamps, order, sound and faults stay."""
        random: np.random.Generator | None = None
        for item in items:
            if isinstance(item, VideoFrame):
                random = random or np.random.default_rng([self.seed, self.level, zlib.crc32(item.y.tobytes())])
                yield self.picture(item, random)
            else:
                yield item

    def picture(self, frame: VideoFrame, random: np.random.Generator) -> VideoFrame:
        """Change one picture; its planes are not written to."""
        raise NotImplementedError


class Saturation(Perturbation):
    """CS: chroma drawn towards grey."""

    __slots__ = ()
    kind = "saturation"
    values = (0.4, 0.3, 0.2, 0.1, 0.0)

    def picture(self, frame: VideoFrame, random: np.random.Generator) -> VideoFrame:
        """Change one picture."""
        chroma = _scaled(self.value, 128)
        return replace(frame, u=chroma[frame.u], v=chroma[frame.v])


class Contrast(Perturbation):
    """CC: red, green and blue multiplied, which scales luma above black and chroma about grey."""

    __slots__ = ()
    kind = "contrast"
    values = (0.85, 0.725, 0.6, 0.475, 0.35)

    def picture(self, frame: VideoFrame, random: np.random.Generator) -> VideoFrame:
        """Change one picture."""
        luma, chroma = _scaled(self.value, 0 if frame.full_range else 16), _scaled(self.value, 128)
        return replace(frame, y=luma[frame.y], u=chroma[frame.u], v=chroma[frame.v])


class Blocks(Perturbation):
    """BW: grey squares of 8 pixels at random places, new ones in every picture.

    Their number is for each whole 256 pixels of the shorter side, at least once: the published program leaves
    pictures under 256 pixels as they are. Places are even, so that luma and chroma are covered alike.
    """

    __slots__ = ()
    kind = "block"
    values = (16, 32, 48, 64, 80)
    chance = True

    def picture(self, frame: VideoFrame, random: np.random.Generator) -> VideoFrame:
        """Change one picture."""
        y, u, v = frame.y.copy(), frame.u.copy(), frame.v.copy()
        count = int(self.value) * max(min(frame.width, frame.height) // _BLOCK_AREA_PIXELS, 1)
        rows = random.integers(0, max((frame.height - _BLOCK_PIXELS) // 2, 1), count) * 2
        columns = random.integers(0, max((frame.width - _BLOCK_PIXELS) // 2, 1), count) * 2
        grey = 128 if frame.full_range else 126
        for row, column in zip(rows, columns, strict=True):
            y[row : row + _BLOCK_PIXELS, column : column + _BLOCK_PIXELS] = grey
            half = (slice(row // 2, (row + _BLOCK_PIXELS) // 2), slice(column // 2, (column + _BLOCK_PIXELS) // 2))
            u[half] = v[half] = 128
        return replace(frame, y=y, u=u, v=v)


class Noise(Perturbation):
    """GNC: white Gaussian noise of this variance (in squared full scale) on luma and chroma.

    The published program adds it to studio-range YCbCr at full resolution; halved chroma is the mean of four pixels,
    hence half of the deviation.
    """

    __slots__ = ()
    kind = "noise"
    values = (0.001, 0.002, 0.005, 0.01, 0.05)
    chance = True

    def picture(self, frame: VideoFrame, random: np.random.Generator) -> VideoFrame:
        """Change one picture."""
        deviation = 255 * self.value**0.5
        luma, chroma = (255 / 219, 255 / 224) if frame.full_range else (1.0, 1.0)
        return replace(
            frame,
            y=_noisy(frame.y, deviation * luma, random),
            u=_noisy(frame.u, deviation * chroma / 2, random),
            v=_noisy(frame.v, deviation * chroma / 2, random),
        )


class Blur(Perturbation):
    """GB: Gaussian blur with a kernel of k pixels, whose deviation is k / 6."""

    __slots__ = ()
    kind = "blur"
    values = (7, 9, 13, 17, 21)

    def picture(self, frame: VideoFrame, random: np.random.Generator) -> VideoFrame:
        """Change one picture."""
        deviation = self.value / 6
        y, u, v = _blurred(frame.y, deviation), _blurred(frame.u, deviation / 2), _blurred(frame.v, deviation / 2)
        return replace(frame, y=y, u=u, v=v)


class Pixelation(Perturbation):
    """PX: pictures 1 / n as wide and high, enlarged again; bilinear both ways, without smoothing before."""

    __slots__ = ()
    kind = "pixelation"
    values = (2, 3, 4, 5, 6)

    def picture(self, frame: VideoFrame, random: np.random.Generator) -> VideoFrame:
        """Change one picture."""
        size = max(frame.width // int(self.value), 1), max(frame.height // int(self.value), 1)
        return replace(frame, y=_coarse(frame.y, size), u=_coarse(frame.u, size), v=_coarse(frame.v, size))


@dataclass(frozen=True, slots=True)
class Coded:
    """Pictures through H.264 by libx264 at a constant rate factor and a preset, otherwise its defaults, in memory.

    They come back with their own stamps. About fifty are held, for that is how far the coder looks ahead.
    """

    crf: int
    preset: str = "medium"

    def __call__(self, items: Iterable[MediaItem]) -> Iterator[MediaItem]:
        """Yield the items in their order, pictures as the decoder gives them."""
        coder: _Coder | None = None
        waiting: deque[MediaItem] = deque()
        for item in items:
            if isinstance(item, VideoFrame):
                if coder is not None and not coder.fits(item):
                    yield from _released(waiting, coder.finish())
                    coder = None
                coder = coder or _Coder(item, self.crf, self.preset)
                ready = coder.push(item)
            else:
                ready = []
            waiting.append(item)
            yield from _released(waiting, ready)
        yield from _released(waiting, coder.finish() if coder is not None else [])


class Compression(Perturbation):
    """VC: H.264 by libx264 at this constant rate factor and otherwise its defaults, in memory.

    Pictures come back with their own stamps. About fifty are held, for that is how far the coder looks ahead.
    """

    __slots__ = ()
    kind = "compression"
    values = (30, 32, 35, 38, 40)

    def __call__(self, items: Iterable[MediaItem]) -> Iterator[MediaItem]:
        """Yield the items in their order, pictures as the decoder gives them."""
        return Coded(int(self.value))(items)


SEVEN: tuple[type[Perturbation], ...] = (Saturation, Contrast, Blocks, Noise, Blur, Pixelation, Compression)


def conditions(seed: int = 0) -> list[Perturbation]:
    """Return all seven kinds at all five levels."""
    return [kind(level, seed) for kind in SEVEN for level in range(1, LEVELS + 1)]


def _scaled(factor: float, about: int) -> ByteArray:
    """Table (256,) of bytes scaled about one of them."""
    values = about + (np.arange(256) - about) * factor
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def _noisy(plane: ByteArray, deviation: float, random: np.random.Generator) -> ByteArray:
    noise = random.standard_normal(plane.shape, np.float32)
    noise *= np.float32(deviation)
    noise += plane
    return np.asarray(np.clip(np.rint(noise), 0, 255), np.uint8)


def _blurred(plane: ByteArray, deviation: float) -> ByteArray:
    # Pillow's Gaussian is three box filters, within a grey level or two of the kernel.
    return np.asarray(Image.fromarray(plane).filter(ImageFilter.GaussianBlur(deviation)), np.uint8)


def _coarse(plane: ByteArray, size: tuple[int, int]) -> ByteArray:
    height, width = plane.shape
    coarse_size = min(size[0], width), min(size[1], height)
    # `transform` samples without smoothing; `resize` would average what it leaves out.
    box = (0.0, 0.0, float(width), float(height))
    small = Image.fromarray(plane).transform(coarse_size, Image.Transform.EXTENT, box, Image.Resampling.BILINEAR)
    return np.asarray(small.resize((width, height), Image.Resampling.BILINEAR), np.uint8)


def _released(waiting: deque[MediaItem], ready: list[VideoFrame]) -> Iterator[MediaItem]:
    """Let go of what waits, in order, up to the first picture that has not come back."""
    back = deque(ready)
    while waiting and (back or not isinstance(waiting[0], VideoFrame)):
        item = waiting.popleft()
        yield back.popleft() if isinstance(item, VideoFrame) else item


class _Coder:
    """Pictures of one size through an encoder and a decoder; both keep their order, so one comes back for each."""

    def __init__(self, frame: VideoFrame, crf: int, preset: str) -> None:
        self._size = frame.width, frame.height
        self._sent: deque[VideoFrame] = deque()
        self._count = 0
        self._even_size = _even(frame.width), _even(frame.height)
        options = {"crf": str(crf), "preset": preset}
        self._encoder = open_encoder("libx264", self._even_size, Fraction(1, _FPS), _FPS, options)
        self._decoder = open_decoder("libx264")

    def fits(self, frame: VideoFrame) -> bool:
        """Whether a picture has this coder's size."""
        return (frame.width, frame.height) == self._size

    def push(self, frame: VideoFrame) -> list[VideoFrame]:
        """Send one picture; give those that come back now."""
        # Odd sides are continued by one pixel, for the codec takes even ones.
        raw = to_codec_frame((frame.y, frame.u, frame.v), self._even_size)
        raw.pts, raw.time_base = self._count, Fraction(1, _FPS)
        self._count += 1
        self._sent.append(frame)
        return self._through(self._encoder.encode(raw))

    def finish(self) -> list[VideoFrame]:
        """Return all that are still under way."""
        last = self._through(self._encoder.encode(None))
        last += self._named(self._decoder.decode(None))
        # All have come back; a picture that had not would go on as it was.
        return [*last, *self._sent]

    def _through(self, packets: list[Packet[Stream]]) -> list[VideoFrame]:
        decoded = [frame for packet in packets for frame in self._decoder.decode(_copied(packet))]
        return self._named(decoded)

    def _named(self, decoded: list[av.VideoFrame]) -> list[VideoFrame]:
        return [_like(frame, self._sent.popleft()) for frame in decoded]


def _even(side: int) -> int:
    return side + side % 2


def _copied(packet: Packet[Stream]) -> Packet[Stream]:
    copy: Packet[Stream] = Packet(bytes(packet))
    copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
    return copy


def _like(decoded: av.VideoFrame, sent: VideoFrame) -> VideoFrame:
    back = to_video_frame(decoded, sent.stamp)
    y, (rows, columns) = back.y[: sent.height, : sent.width], sent.u.shape
    return VideoFrame(sent.stamp, y, back.u[:rows, :columns], back.v[:rows, :columns], sent.full_range)
