"""Training clips in memory: lips and voice of each on one 25 Hz grid, and random pieces of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """`shape` (T, 168) float32, `mouth` (T, 36, 36) uint8, `mel` (T, 4, 80) float32, `good` (T,) lips usable and somebody speaking.

    `group` weighs sources against each other in sampling.
    """

    name: str
    subject: str
    group: str
    shape: FloatArray
    mouth: NDArray[np.uint8]
    mel: FloatArray
    good: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.good)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Pieces of B clips: `shape` (B, T, 168), `mouth` (B, T, 36, 36), `mel` (B, T, 4, 80); the voice of row b starts `lag[b]` steps
    after its lips, `good` (B, T) marks lip frames that count.
    """

    shape: FloatArray
    mouth: FloatArray
    mel: FloatArray
    lag: NDArray[np.int64]
    good: NDArray[np.bool_]


class Sampler:
    """Random pieces: first a group by its weight, then a clip by its length, then a place.

    Lips and voice are cut independently by up to `slack` steps, so that the padding at the ends cannot tell the time
    (`synchrony` study, traps).
    """

    def __init__(self, clips: Sequence[Clip], length: int, slack: int, seed: int, weights: dict[str, float]) -> None:
        self._clips = [clip for clip in clips if clip.good.sum() >= 10]
        if not self._clips:
            raise ValueError("no clip has ten usable frames of speech: check the data folder")
        self._length, self._slack = length, slack
        self.random = np.random.default_rng(seed)
        size = {g: sum(len(c) for c in self._clips if c.group == g) for g in {c.group for c in self._clips}}
        chance = np.array([weights.get(c.group, 1.0) * len(c) / size[c.group] for c in self._clips])
        self._chance = chance / chance.sum()

    def batch(self, count: int) -> Batch:
        """A batch of `count` pieces of different clips where there are enough."""
        enough = len(self._clips) >= count
        picks = self.random.choice(len(self._clips), count, replace=not enough, p=self._chance)
        rows = [self._piece(self._clips[i]) for i in picks]
        shape, mouth, mel, lag, good = zip(*rows, strict=True)
        return Batch(np.stack(shape), np.stack(mouth), np.stack(mel), np.array(lag), np.stack(good))

    def _piece(self, clip: Clip) -> tuple[FloatArray, FloatArray, FloatArray, int, NDArray[np.bool_]]:
        room = max(len(clip) - self._length, 0)
        start = int(self.random.integers(0, room + 1))
        lag = int(self.random.integers(-self._slack, self._slack + 1))
        lips, voice = _window(len(clip), start, self._length), _window(len(clip), start + lag, self._length)
        good = clip.good[lips.clip] & lips.inside
        mouth = clip.mouth[lips.clip].astype(np.float32) / 255
        shape = clip.shape[lips.clip] * lips.inside[:, None]
        mel = np.where(voice.inside[:, None, None], clip.mel[voice.clip], np.float32(np.log(1e-6)))
        return shape.astype(np.float32), mouth * lips.inside[:, None, None], mel.astype(np.float32), lag, good


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    clip: NDArray[np.int64]
    inside: NDArray[np.bool_]


def _window(total: int, start: int, length: int) -> _Window:
    at = np.arange(start, start + length)
    inside = (at >= 0) & (at < total)
    return _Window(np.clip(at, 0, total - 1), inside)
