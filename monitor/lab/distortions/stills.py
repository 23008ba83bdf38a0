"""Pictures that stand while the sound goes on: a frozen camera, a photograph held up, a still with a zoom.

What a caller without a camera, or with somebody else's picture, shows in place of a face that speaks. Each is a
`monitor.lab.corpus.speech_features.Change`: pictures come back with their own stamps, made of one picture of the clip
and coded with H.264 again; sound stays.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from monitor.lab.distortions.perturbations import Coded
from monitor.types import ByteArray, MediaItem, VideoFrame

# Sensor noise in grey levels, as a webcam has in a room at night.
NOISE = 6.0
# A hand: slow sway and tremor (Hz), and how far either moves (in heights of the picture, radians, share of the size).
SWAY_HZ, TREMOR_HZ = (0.2, 0.9), (4.0, 9.0)
SHIFT, TURN, SCALE, TILT = 0.02, 0.03, 0.02, 0.04
TREMOR = 0.06
ZOOM_SECONDS, ZOOM = 10.0, 0.3

# As calls are coded: in no time.
PRESET = "veryfast"

Matrix = NDArray[np.float64]
Motion = Callable[[float, np.random.Generator], Matrix]


@dataclass(frozen=True, slots=True)
class Still:
    """Shows one picture from `start` seconds after the first, for `seconds`; then the clip goes on.

    `kind` is one of `KINDS`: `frozen` as it is, `noisy` with sensor noise, `hand` moved as by a hand that holds a
    photograph, `zoom` and `pan` as a video editor moves one, `flicker` under light that changes. `crf` is the constant
    rate factor of H.264.
    """

    kind: str
    start: float = 0.0
    seconds: float = float("inf")
    crf: int = 23
    seed: int = 0

    @property
    def name(self) -> str:
        """Part of the features' key."""
        return f"still-{self.kind}-{self.start:g}-{self.seconds:g}-crf{self.crf}-s{self.seed}"

    def __call__(self, items: Iterable[MediaItem]) -> Iterator[MediaItem]:
        """Return the items in their order."""
        return Coded(self.crf, PRESET)(self._stilled(items))

    def _stilled(self, items: Iterable[MediaItem]) -> Iterator[MediaItem]:
        began: float | None = None
        shown: _Shown | None = None
        for item in items:
            if not isinstance(item, VideoFrame):
                yield item
                continue
            began = item.stamp.media if began is None else began
            at = item.stamp.media - began - self.start
            if not 0 <= at < self.seconds:
                yield item
                continue
            shown = shown or _Shown(item, self.kind, self.seed)
            yield replace(shown.at(at), stamp=item.stamp)


class _Shown:
    """One picture, as it is shown at each moment."""

    def __init__(self, picture: VideoFrame, kind: str, seed: int) -> None:
        self._picture, self._kind = picture, kind
        self._random = np.random.default_rng([seed, zlib.crc32(picture.y.tobytes())])
        self._sway = self._random.uniform(0, 2 * np.pi, (2, 3, 6))

    def at(self, seconds: float) -> VideoFrame:
        """Give the picture `seconds` after it stands."""
        picture = self._picture
        if self._kind in MOTIONS:
            matrix = MOTIONS[self._kind](seconds, self._sway)
            planes = [_moved(plane, matrix) for plane in (picture.y, picture.u, picture.v)]
            picture = replace(picture, y=planes[0], u=planes[1], v=planes[2])
        if self._kind == "flicker":
            picture = replace(picture, y=_noisy(picture.y * (1 + 0.1 * np.sin(7 * seconds)), 1.0, self._random))
        if self._kind in ("noisy", "hand", "zoom", "pan"):
            picture = replace(picture, y=_noisy(picture.y, NOISE if self._kind == "noisy" else NOISE / 2, self._random))
        return picture


def _hand(seconds: float, phases: NDArray[np.float64]) -> Matrix:
    waves = np.zeros(6)
    for (low, high), size, phase in zip((SWAY_HZ, TREMOR_HZ), (1.0, TREMOR), phases, strict=True):
        hz = np.linspace(low, high, 3)[:, None]
        waves += size * np.sin(2 * np.pi * hz * seconds + phase).mean(0)
    x, y, turn, scale, tilt_x, tilt_y = waves * (SHIFT, SHIFT, TURN, SCALE, TILT, TILT)
    cos, sin = (1 - 2 * SHIFT + scale) * np.cos(turn), np.sin(turn)
    return np.array([[cos, -sin, x], [sin, cos, y], [tilt_x, tilt_y, 1.0]])


def _zoom(seconds: float, _: NDArray[np.float64]) -> Matrix:
    share = 1 - ZOOM * abs((seconds / ZOOM_SECONDS + 1) % 2 - 1)
    return np.diag([share, share, 1.0])


def _pan(seconds: float, _: NDArray[np.float64]) -> Matrix:
    share = abs((seconds / ZOOM_SECONDS + 0.5) % 2 - 1) - 0.5
    return np.array([[1 - ZOOM / 2, 0, ZOOM / 3 * share], [0, 1 - ZOOM / 2, 0], [0, 0, 1.0]])


MOTIONS: Mapping[str, Callable[[float, NDArray[np.float64]], Matrix]] = {"hand": _hand, "zoom": _zoom, "pan": _pan}
KINDS = ("frozen", "noisy", "hand", "zoom", "pan", "flicker")


def _moved(plane: ByteArray, matrix: Matrix) -> ByteArray:
    """Take each pixel from where `matrix` (3, 3) points to, in heights of the picture from its middle."""
    height, width = plane.shape
    to_middle = np.array([[1 / height, 0, -width / height / 2], [0, 1 / height, -0.5], [0, 0, 1]])
    whole = np.linalg.inv(to_middle) @ matrix @ to_middle
    coefficients = (whole / whole[2, 2]).reshape(-1)[:8]
    picture = Image.fromarray(np.ascontiguousarray(plane))
    moved = picture.transform(
        (width, height), Image.Transform.PERSPECTIVE, coefficients.tolist(), Image.Resampling.BICUBIC
    )
    return np.asarray(moved, np.uint8)


def _noisy(plane: NDArray[np.float64] | ByteArray, deviation: float, random: np.random.Generator) -> ByteArray:
    noise = random.standard_normal(plane.shape, np.float32) * np.float32(deviation)
    return np.asarray(np.clip(np.rint(plane + noise), 0, 255), np.uint8)
