"""Recordings of motion in memory, the windows that count in them, and random windows of people, made worse alike.

A recording has its own landmark noise, smoothness, frame rate and camera. Two windows of one recording share them, so
each window of a batch is made worse by itself: what is left in common is the person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.training.clips import TrainingError

FloatArray = NDArray[np.float32]

STEPS = 75
HEAD = 6
RATE = 25.0
# What makes a window count: shares of its steps with a face, and with speech.
VALID = 0.8
SPEECH = 0.5


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
        at = np.arange(0, len(self.valid) - STEPS + 1, hop)
        counts = [np.concatenate([[0], np.cumsum(flags & self.valid)]) for flags in (self.valid, self.speech)]
        enough = [(c[at + STEPS] - c[at]) / STEPS >= share for c, share in zip(counts, (VALID, SPEECH), strict=True)]
        return np.asarray(at[enough[0] & enough[1]], np.int64)

    def window(self, start: int) -> tuple[FloatArray, FloatArray]:
        """Motion (STEPS, F), zero where no face was seen, and its mask (STEPS,)."""
        mask = self.valid[start : start + STEPS].astype(np.float32)
        return self.motion[start : start + STEPS] * mask[:, None], mask


@dataclass(frozen=True, slots=True)
class Worsening:
    """How windows are made worse: chances of each, and how much at most.

    `noise` is in deviations of each number; `still` is the longest smoothing in steps (deviation of the Gaussian);
    `hold` the least frames a second that a sender may have had; `drop` the share of numbers that are left out.
    """

    chance: float = 0.5
    noise: float = 0.3
    smooth: float = 2.0
    hold: float = 10.0
    drop: float = 0.1
    pace: float = 0.1


class MotionSampler:
    """Random windows, some of each of some people: from different recordings where there are several."""

    def __init__(
        self, clips: Sequence[MotionClip], worsening: Worsening, mirror: FloatArray | None = None, seed: int = 0
    ) -> None:
        people: dict[str, list[tuple[MotionClip, NDArray[np.int64]]]] = {}
        for clip in clips:
            starts = clip.starts()
            if len(starts):
                people.setdefault(clip.person, []).append((clip, starts))
        # One window has nothing that it could be like.
        self._people = [own for own in people.values() if len(own) > 1 or np.ptp(own[0][1]) >= STEPS // 3]
        if len(self._people) < 2:
            raise TrainingError("fewer than two people have two windows of 3 s of speech: add longer clips")
        rows = np.concatenate([clip.motion[clip.valid] for own in self._people for clip, _ in own])
        self.scale = rows.std(0) + 1e-6
        self._worsening, self._mirror = worsening, mirror
        self._random = np.random.default_rng(seed)

    @property
    def people(self) -> int:
        """How many people have windows to be trained on."""
        return len(self._people)

    def batch(self, people: int, each: int) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
        """Motion (B, STEPS, F), mask (B, STEPS), and whose each window is (B,); B is `people` times `each`.

        A mirrored person is another person: all their windows are mirrored alike.
        """
        random, count = self._random, len(self._people)
        both = 2 * count if self._mirror is not None else count
        motions, masks, labels = [], [], []
        for person in random.choice(both, min(people, both), replace=False):
            for motion, mask in self._windows(self._people[person % count], each):
                if person >= count and self._mirror is not None:
                    motion = motion @ self._mirror
                motions.append(worsen(motion, mask, self.scale, self._worsening, random))
                masks.append(mask)
                labels.append(person)
        return np.stack(motions).astype(np.float32), np.stack(masks), np.array(labels, np.int64)

    def _windows(
        self, own: list[tuple[MotionClip, NDArray[np.int64]]], each: int
    ) -> list[tuple[FloatArray, FloatArray]]:
        random = self._random
        if len(own) >= each:
            picked = [own[n] for n in random.choice(len(own), each, replace=False)]
            return [clip.window(int(random.choice(starts))) for clip, starts in picked]
        found = []
        for number in range(each):
            clip, starts = own[number % len(own)]
            # Windows of one recording come from parts of it that follow each other, so that they rarely overlap.
            part, parts = number // len(own), -(-each // len(own))
            at = (part + random.random()) / parts
            found.append(clip.window(int(starts[min(int(at * len(starts)), len(starts) - 1)])))
        return found


def worsen(
    motion: FloatArray, mask: FloatArray, scale: FloatArray, how: Worsening, random: np.random.Generator
) -> FloatArray:
    """Give a window (T, F) another pace, frame rate, smoothness and noise, each by chance."""
    changed = motion
    if random.random() < how.chance and how.pace:
        changed = _paced(changed, 1 + how.pace * random.uniform(-1, 1))
    if random.random() < how.chance * 0.5:
        changed = _held(changed, random.uniform(how.hold, RATE))
    if random.random() < how.chance:
        changed = smoothed(changed, how.smooth * random.random())
    if random.random() < how.chance:
        changed = _noisy(changed, scale * how.noise * random.random() ** 2, random)
    kept = random.random(motion.shape[1]) >= how.drop
    return np.asarray(changed * mask[:, None] * kept, np.float32)


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
    changed[:, -HEAD:] *= pace
    return changed


def _held(motion: FloatArray, rate: float) -> FloatArray:
    """Let the sender have had fewer frames a second, with straight lines between them."""
    frames = np.arange(0, len(motion) - 1 + RATE / rate, RATE / rate).clip(0, len(motion) - 1)
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
    noise[:, -HEAD:] = np.diff(noise[:, -2 * HEAD : -HEAD], axis=0, prepend=noise[:1, -2 * HEAD : -HEAD]) * RATE
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
    matrix = np.zeros((count + 2 * HEAD, count + 2 * HEAD), np.float32)
    matrix[:count, :count] = mirrored
    head = np.array([-1, 1, -1, -1, 1, 1], np.float32)
    matrix[range(count, count + 2 * HEAD), range(count, count + 2 * HEAD)] = np.concatenate([head, head])
    return matrix
