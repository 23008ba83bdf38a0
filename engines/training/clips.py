"""Training clips in memory: lips and voice of each on one 25 Hz grid, and random pieces of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engines.errors import SidewitnessError

FloatArray = NDArray[np.float32]
Doubles = NDArray[np.float64]
# Draws of a second piece of a person before it is one of anybody's.
TRIES_OF_A_TWIN = 8


class TrainingError(SidewitnessError):
    """Clips or a checkpoint cannot be trained on; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Lips and voice of one clip on the 25 Hz grid.

    `shape` (T, 168) float32, `mouth` (T, 36, 36) uint8, `mel` (T, 4, 80) float32, `good` (T,) lips usable and somebody
    speaking. `group` weighs sources against each other in sampling.
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
    """Pieces of B clips: `shape` (B, T, 168), `mouth` (B, T, 36, 36), `mel` (B, T, 4, 80).

    The voice of row b starts `lag[b]` steps after its lips; `good` (B, T) marks lip frames that count; `units` (B, T)
    numbers the sound made at each lip frame, -1 where it was not labelled.
    """

    shape: FloatArray
    mouth: FloatArray
    mel: FloatArray
    lag: NDArray[np.int64]
    good: NDArray[np.bool_]
    units: NDArray[np.int64]


class Grouped(Protocol):
    """A clip as far as sampling is concerned."""

    @property
    def subject(self) -> str:
        """Who speaks."""
        ...

    @property
    def group(self) -> str:
        """The group whose share it takes part in."""
        ...

    def __len__(self) -> int:
        """Count the steps."""
        ...


def chances(clips: Sequence[Grouped], weights: Mapping[str, float]) -> NDArray[np.float64]:
    """How likely each clip is drawn: its group by its weight, within it a person by the root of what there is of them.

    The root stands between drawing people alike, which repeats the few seconds of some, and drawing seconds alike,
    which hears few people. A person's clips are drawn by length.
    """
    spoken: dict[tuple[str, str], int] = {}
    for clip in clips:
        person = clip.group, clip.subject
        spoken[person] = spoken.get(person, 0) + len(clip)
    size: dict[str, float] = {}
    for (group, _), steps in spoken.items():
        size[group] = size.get(group, 0.0) + steps**0.5
    chance = np.array(
        [weights.get(c.group, 1.0) / size[c.group] * len(c) / spoken[c.group, c.subject] ** 0.5 for c in clips]
    )
    return np.asarray(chance / chance.sum(), np.float64)


class Sampler:
    """Random pieces: first a group by its weight, then a person, a clip by its length, a place.

    A share `twins` of a batch are second pieces of people who are in it already, from another time: the hardest voices
    to tell from one's own. Clips of one name are versions of one recording, as calls garble it: the lips of a piece are
    taken from one version and the voice from another. Pieces are played up to `tempo` times faster or slower. Lips and
    voice are cut independently by up to `slack` steps, so that the padding at the ends cannot tell the time
    (`synchrony` study, traps).
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        length: int,
        slack: int,
        seed: int,
        weights: dict[str, float],
        tempo: float = 1.12,
        twins: float = 0.0,
    ) -> None:
        self._clips = _versions(clips)
        if not self._clips:
            raise TrainingError("no clip has ten usable frames of speech: check the data folder")
        self._length, self._slack, self._tempo, self._twins = length, slack, tempo, twins
        self.random = np.random.default_rng(seed)
        self._chance = chances([versions[0] for versions in self._clips], weights)
        self._offsets: Mapping[str, int] = {}
        self._units: Mapping[str, NDArray[np.int64]] = {}
        self._of_person: dict[str, list[int]] = {}
        for number, versions in enumerate(self._clips):
            self._of_person.setdefault(versions[0].subject, []).append(number)

    def label(self, units: Mapping[str, NDArray[np.int64]]) -> None:
        """From now on batches carry the numbered sounds (T,) of each clip named."""
        self._units = units

    def align(self, offsets: Mapping[str, int]) -> None:
        """From now on the voice of each clip named is taken that many steps later."""
        self._offsets = offsets

    def batch(self, count: int) -> Batch:
        """Draw a batch of `count` pieces, of different clips where there are enough."""
        seconds = round(count * self._twins)
        first = count - seconds
        enough = len(self._clips) >= first
        picks = self.random.choice(len(self._clips), first, replace=not enough, p=self._chance)
        pieces = [(int(i), *self._place(self._clips[i])) for i in picks]
        pieces += [self._twin(pieces[n % first]) for n in range(seconds)]
        rows = [self._piece(self._clips[i], start, speed) for i, start, speed in pieces]
        shape, mouth, mel, lag, good, units = zip(*rows, strict=True)
        return Batch(np.stack(shape), np.stack(mouth), np.stack(mel), np.array(lag), np.stack(good), np.stack(units))

    def _place(self, versions: Sequence[Clip]) -> tuple[float, float]:
        """Draw where a piece begins, in steps, and how fast it is played."""
        speed = float(self.random.uniform(1 / self._tempo, self._tempo))
        return float(self.random.uniform(0, max(len(versions[0]) - self._length * speed, 0))), speed

    def _twin(self, piece: tuple[int, float, float]) -> tuple[int, float, float]:
        """Draw a piece of the same person that shares no moment with this one; of anybody, where there is none."""
        number, start, _ = piece
        apart = self._length * self._tempo
        own = self._of_person[self._clips[number][0].subject]
        for _ in range(TRIES_OF_A_TWIN):
            other = int(self.random.choice(own))
            place, speed = self._place(self._clips[other])
            if other != number or abs(place - start) >= apart:
                return other, place, speed
        other = int(self.random.choice(len(self._clips), p=self._chance))
        return other, *self._place(self._clips[other])

    def _piece(
        self, versions: Sequence[Clip], start: float, speed: float
    ) -> tuple[FloatArray, FloatArray, FloatArray, int, NDArray[np.bool_], NDArray[np.int64]]:
        clip, heard_in = (versions[int(i)] for i in self.random.integers(0, len(versions), 2))
        lag = int(self.random.integers(-self._slack, self._slack + 1))
        late = self._offsets.get(clip.name, 0)
        steps = np.arange(self._length)
        at = np.asarray(start + steps * speed, np.float64)
        near, inside = _within(at, len(clip))
        good = clip.good[near] & inside & heard_in.good[np.minimum(near, len(heard_in) - 1)]
        mouth = clip.mouth[near].astype(np.float32) / 255 * inside[:, None, None]
        shape = _between(clip.shape, at) * inside[:, None]
        # The voice at four mel frames a step, played at the same speed.
        voice = 4 * (start + late) + speed * (4 * (steps[:, None] + lag) + np.arange(4))
        frames = np.asarray(voice, np.float64)
        whole, heard = _within(frames, 4 * len(heard_in))
        mel = np.where(heard[..., None], heard_in.mel.reshape(-1, clip.mel.shape[-1])[whole], np.float32(np.log(1e-6)))
        clip_units = self._units.get(clip.name)
        sounds, present = _within(at + late, len(clip) if clip_units is None else len(clip_units))
        units = np.full(self._length, -1) if clip_units is None else np.where(present, clip_units[sounds], -1)
        return shape.astype(np.float32), mouth.astype(np.float32), mel.astype(np.float32), lag, good, units


def _versions(clips: Sequence[Clip]) -> list[list[Clip]]:
    """Clips with enough speech, those of one name together."""
    by_name: dict[str, list[Clip]] = {}
    for clip in clips:
        if clip.good.sum() >= 10:
            by_name.setdefault(clip.name, []).append(clip)
    return list(by_name.values())


def _within(at: Doubles, total: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Nearest index of each place, clipped to the range, and whether the place lies inside."""
    nearest = np.rint(at).astype(np.int64)
    return np.clip(nearest, 0, total - 1), (nearest >= 0) & (nearest < total)


def _between(values: FloatArray, at: Doubles) -> FloatArray:
    """Rows of `values` (T, C) at fractional places, linearly."""
    low = np.clip(np.floor(at).astype(np.int64), 0, len(values) - 1)
    high = np.minimum(low + 1, len(values) - 1)
    weight = np.clip(at - low, 0, 1)[:, None].astype(np.float32)
    return values[low] * (1 - weight) + values[high] * weight
