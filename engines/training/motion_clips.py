"""Recordings of motion in memory, the windows that count in them, and random windows of people, made worse alike.

A recording has its own landmark noise, smoothness, frame rate and camera. Two windows of one recording share them, so
each window of a batch is made worse by itself: what is left in common is the person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engines.base import GRID_HZ, MOTION_WINDOW_STEPS
from engines.training.clips import TrainingError

FloatArray = NDArray[np.float32]

HEAD_NUMBERS = 6
# What makes a window count: shares of its steps with a face, and with speech.
MIN_VALID_SHARE = 0.8
MIN_SPEECH_SHARE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class MotionClip:
    """One recording at 25 Hz: `motion` (T, F) is what the pack takes, less its own neutral.

    The last 12 of F are yaw, pitch, roll, x, y, log scale of the head and their velocities a second. `valid` (T,) says
    where a face was seen, `speech` (T,) where somebody spoke. Clips of one `person` are of one person.
    """

    name: str
    person: str
    motion: FloatArray
    valid: NDArray[np.bool_]
    speech: NDArray[np.bool_]

    def starts(self, hop: int = 1) -> NDArray[np.int64]:
        """First steps of the windows that count, `hop` apart."""
        at = np.arange(0, len(self.valid) - MOTION_WINDOW_STEPS + 1, hop)
        counts = [np.concatenate([[0], np.cumsum(flags & self.valid)]) for flags in (self.valid, self.speech)]
        enough = [
            (c[at + MOTION_WINDOW_STEPS] - c[at]) / MOTION_WINDOW_STEPS >= share
            for c, share in zip(counts, (MIN_VALID_SHARE, MIN_SPEECH_SHARE), strict=True)
        ]
        return np.asarray(at[enough[0] & enough[1]], np.int64)

    def window(self, start: int) -> tuple[FloatArray, FloatArray]:
        """Motion (STEPS, F), zero where no face was seen, and its mask (STEPS,)."""
        mask = self.valid[start : start + MOTION_WINDOW_STEPS].astype(np.float32)
        motion = self.motion[start : start + MOTION_WINDOW_STEPS] * mask[:, None]
        # Alone, a window has no neighbours to tell the velocity of its ends by.
        motion[[0, -1], -HEAD_NUMBERS:] = 0
        return motion, mask


def join_short(clips: Sequence[MotionClip]) -> list[MotionClip]:
    """Join recordings that are shorter than a window to those of the same person that follow them; others stay.

    What is not seen at their ends is cut off first, and each keeps its own neutral; the step at a seam counts as not
    seen, so that nobody jumps. What stays too short is left out.
    """
    joined = [clip for clip in clips if len(clip.valid) >= MOTION_WINDOW_STEPS]
    waiting: dict[str, list[MotionClip]] = {}
    for clip in clips:
        if clip.valid.any() and len(clip.valid) < MOTION_WINDOW_STEPS:
            parts = waiting.setdefault(clip.person, [])
            parts.append(_trimmed(clip))
            if sum(len(part.valid) for part in parts) >= MOTION_WINDOW_STEPS:
                joined.append(_joined(waiting.pop(clip.person)))
    return joined


def _trimmed(clip: MotionClip) -> MotionClip:
    valid = np.flatnonzero(clip.valid)
    span = slice(int(valid[0]), int(valid[-1]) + 1)
    return replace(clip, motion=clip.motion[span], valid=clip.valid[span], speech=clip.speech[span])


def _joined(parts: Sequence[MotionClip]) -> MotionClip:
    valid = np.concatenate([part.valid for part in parts])
    valid[np.cumsum([len(part.valid) for part in parts[:-1]])] = False
    motion, speech = (np.concatenate([getattr(part, name) for part in parts]) for name in ("motion", "speech"))
    return MotionClip("+".join(part.name for part in parts), parts[0].person, motion, valid, speech)


@dataclass(frozen=True, slots=True)
class Worsening:
    """How windows are made worse: chances of each, and how much at most.

    `noise` is in deviations of each number; `smooth` the longest smoothing in steps (deviation of the Gaussian);
    `hold` the least frames a second that a sender may have had; `drop` the share of numbers that are left out; `pace`
    by how much faster or slower the window runs.
    """

    chance: float = 0.4
    noise: float = 0.15
    smooth: float = 1.0
    hold: float = 10.0
    drop: float = 0.0
    pace: float = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class MotionBatch:
    """B windows: `motion` (B, STEPS, F), `mask` (B, STEPS), whose `person` each is, and which `recording` of theirs."""

    motion: FloatArray
    mask: FloatArray
    person: NDArray[np.int64]
    recording: NDArray[np.int64]


class MotionSampler:
    """Random windows, some of each of some people: from different recordings where there are several."""

    def __init__(
        self,
        clips: Sequence[MotionClip],
        worsening: Worsening,
        mirror: FloatArray | None = None,
        seed: int = 0,
    ) -> None:
        people: dict[str, list[tuple[MotionClip, NDArray[np.int64]]]] = {}
        for clip in clips:
            starts = clip.starts()
            if len(starts):
                people.setdefault(clip.person, []).append((clip, starts))
        self._people = list(people.values())
        if len(self._people) < 2:
            raise TrainingError("fewer than two people have a window of 3 s of speech: add longer clips")
        rows = np.concatenate([clip.motion[clip.valid] for recordings in self._people for clip, _ in recordings])
        self.scale = rows.std(0) + 1e-6
        several = [number for number, recordings in enumerate(self._people) if len(recordings) > 1]
        # Where nobody has two recordings there is nothing better than two parts of one.
        self.across = len(several) > 0
        self._several = several if self.across else list(range(len(self._people)))
        self._worsening, self._mirror = worsening, mirror
        self._random = np.random.default_rng(seed)

    def batch(self, people: int, count: int) -> MotionBatch:
        """Draw `count` windows of `people` people, half of them, where there are so many, with several recordings.

        A mirrored person is another person: all their windows are mirrored alike.
        """
        random = self._random
        first = random.choice(self._several, min(max(people // 2, 1), len(self._several)), replace=False)
        others = np.setdiff1d(np.arange(len(self._people)), first)
        chosen = [*first, *random.choice(others, min(people - len(first), len(others)), replace=False)]
        motions, masks, labels = [], [], []
        recordings: list[int] = []
        for person in chosen:
            flip = self._mirror is not None and random.random() < 0.5
            for number, motion, mask in self._windows(self._people[person], count):
                mirrored = motion @ self._mirror if flip and self._mirror is not None else motion
                motions.append(worsen(mirrored, mask, self.scale, self._worsening, random))
                masks.append(mask)
                labels.append(person)
                recordings.append(number if self.across else len(recordings))
        return MotionBatch(
            np.stack(motions), np.stack(masks), np.array(labels, np.int64), np.array(recordings, np.int64)
        )

    def plain(self, count: int) -> tuple[FloatArray, FloatArray, NDArray[np.float64]]:
        """Up to `count` windows of every person as they are: motion, mask, and weights (N,) that make people equal."""
        motions, masks, weights = [], [], []
        for recordings in self._people:
            every = [(clip, int(start)) for clip, starts in recordings for start in starts]
            at = np.linspace(0, len(every) - 1, min(count, len(every))).round().astype(int)
            picked = [every[n][0].window(every[n][1]) for n in at]
            motions += [motion for motion, _ in picked]
            masks += [mask for _, mask in picked]
            weights += [1 / len(picked)] * len(picked)
        return np.stack(motions), np.stack(masks), np.array(weights)

    def _windows(
        self, recordings: list[tuple[MotionClip, NDArray[np.int64]]], count: int
    ) -> list[tuple[int, FloatArray, FloatArray]]:
        """Windows with the number of their recording; those of one recording are from parts that follow each other."""
        random = self._random
        order = random.permutation(len(recordings))
        windows = []
        for place in range(count):
            number = int(order[place % len(recordings)])
            clip, starts = recordings[number]
            at = (place // len(recordings) + random.random()) / -(-count // len(recordings))
            windows.append((number, *clip.window(int(starts[min(int(at * len(starts)), len(starts) - 1)]))))
        return windows


def worsen(
    motion: FloatArray, mask: FloatArray, scale: FloatArray, how: Worsening, random: np.random.Generator
) -> FloatArray:
    """Give a window (T, F) another pace, frame rate, smoothness and noise, each by chance."""
    changed = motion
    if random.random() < how.chance and how.pace:
        changed = _paced(changed, 1 + how.pace * random.uniform(-1, 1))
    if random.random() < how.chance * 0.5:
        changed = _at_frame_rate(changed, random.uniform(how.hold, GRID_HZ))
    if random.random() < how.chance:
        changed = smoothed(changed, how.smooth * random.random())
    if random.random() < how.chance:
        changed = _noisy(changed, scale * how.noise * random.random() ** 2, random)
    present = random.random(motion.shape[1]) >= how.drop
    return np.asarray(changed * mask[:, None] * present, np.float32)


def smoothed(motion: FloatArray, deviation: float) -> FloatArray:
    """Smooth (T, F) over time by a Gaussian of so many steps; nothing below a fifth of a step."""
    if deviation < 0.2:
        return motion
    reach = int(np.ceil(3 * deviation))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    padded = np.pad(motion, ((reach, reach), (0, 0)), mode="edge")
    sums = sum(weight * padded[n : n + len(motion)] for n, weight in enumerate(kernel / kernel.sum()))
    return np.asarray(sums, np.float32)


def _paced(motion: FloatArray, pace: float) -> FloatArray:
    """Read the window at another pace about its middle; what lies outside stands still."""
    steps = np.arange(len(motion))
    at = np.clip((steps - steps.mean()) * pace + steps.mean(), 0, len(motion) - 1)
    changed = _at(motion, at)
    changed[:, -HEAD_NUMBERS:] *= pace
    return changed


def _at_frame_rate(motion: FloatArray, rate: float) -> FloatArray:
    """Let the sender have had fewer frames a second, with straight lines between them."""
    frames = np.arange(0, len(motion) - 1 + GRID_HZ / rate, GRID_HZ / rate).clip(0, len(motion) - 1)
    few = _at(motion, np.round(frames))
    steps = np.arange(len(motion))
    columns = [np.interp(steps, np.round(frames), few[:, n]) for n in range(motion.shape[1])]
    return np.stack(columns, 1).astype(np.float32)


def _at(motion: FloatArray, at: NDArray[np.float64]) -> FloatArray:
    low = np.minimum(at.astype(np.int64), len(motion) - 2)
    share = (at - low)[:, None].astype(np.float32)
    return np.asarray(motion[low] * (1 - share) + motion[low + 1] * share, np.float32)


def _noisy(motion: FloatArray, size: FloatArray, random: np.random.Generator) -> FloatArray:
    """Add what an unsteady tracker adds: each step apart, and to the velocities of the head what that makes of them."""
    noise = random.standard_normal(motion.shape) * size
    head = noise[:, -2 * HEAD_NUMBERS : -HEAD_NUMBERS]
    noise[:, -HEAD_NUMBERS:] = 0
    noise[1:-1, -HEAD_NUMBERS:] = (head[2:] - head[:-2]) * (GRID_HZ / 2)
    return np.asarray(motion + noise, np.float32)


def mirror_matrix(components: FloatArray, scale: FloatArray, canonical: FloatArray) -> FloatArray:
    """Make the matrix (F, F) that mirrors rows of motion: motion @ matrix, F being K + 12.

    `components` (K, 3 * P) and `scale` (K,) are of the basis, `canonical` (P, 3) the face that they lie on. Exact as
    far as the mirrored components lie in the basis.
    """
    flipped = canonical * np.array([-1.0, 1.0, 1.0])
    partner = ((canonical[:, None] - flipped[None]) ** 2).sum(2).argmin(0)
    shapes = components.reshape(len(components), -1, 3)[:, partner] * np.array([-1.0, 1.0, 1.0])
    mirrored = (scale[:, None] * shapes.reshape(len(components), -1)) @ components.T / scale
    count = len(components)
    matrix = np.zeros((count + 2 * HEAD_NUMBERS, count + 2 * HEAD_NUMBERS), np.float32)
    matrix[:count, :count] = mirrored
    head = np.array([-1, 1, -1, -1, 1, 1], np.float32)
    matrix[range(count, count + 2 * HEAD_NUMBERS), range(count, count + 2 * HEAD_NUMBERS)] = np.concatenate(
        [head, head]
    )
    return matrix
