"""Clips of people who speak, as the persona recipe takes them, and the windows that it draws from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.base import MOTION_WINDOW_STEPS
from engines.nets.persona import VOICE
from engines.training.clips import TrainingError
from engines.training.motion_clips import MIN_VALID_SHARE

FloatArray = NDArray[np.float32]
Integers = NDArray[np.int64]
NOBODY = ""
MIN_STEPS = 20


@dataclass(frozen=True, slots=True, eq=False)
class PersonaClip:
    """One recording at 25 Hz: `motion` (T, M) less the recording's own neutral, `voice` (T, 128).

    `valid` (T,) says where face and voice can be used, `speech` (T,) where somebody speaks. Clips of one `person` are
    of one person; the person "" is somebody unknown: such a clip teaches how people move, and no tokens.
    """

    name: str
    person: str
    motion: FloatArray
    voice: FloatArray
    valid: NDArray[np.bool_]
    speech: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.valid)

    def part(self, first: int, last: int) -> PersonaClip:
        """Take the steps from `first` to before `last`, as a clip."""
        steps = slice(first, last)
        return PersonaClip(
            self.name, self.person, self.motion[steps], self.voice[steps], self.valid[steps], self.speech[steps]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """A batch: motion (N, 75, M) and voice (N, 75, 128), zero where `mask` (N, 75) is, and `person` (N,), 0 unknown."""

    motion: Tensor
    voice: Tensor
    mask: Tensor
    person: Tensor

    def __len__(self) -> int:
        return len(self.motion)

    def chosen(self, rows: Tensor) -> Windows:
        """Take some of the windows, by number."""
        return Windows(self.motion[rows], self.voice[rows], self.mask[rows], self.person[rows])


def people_of(clips: Sequence[PersonaClip]) -> list[str]:
    """Name the known people of these clips, sorted."""
    return sorted({clip.person for clip in clips} - {NOBODY})


def set_aside(clips: Sequence[PersonaClip], share: float) -> tuple[list[PersonaClip], list[PersonaClip]]:
    """Take the last `share` of every known person's recordings away, to be measured on; what is left, and that.

    Cut in the order given; a person whose last part would be shorter than a window keeps it.
    """
    remaining: list[PersonaClip] = [clip for clip in clips if clip.person == NOBODY]
    aside: list[PersonaClip] = []
    for person in people_of(clips):
        recordings = [clip for clip in clips if clip.person == person]
        steps = round(share * sum(map(len, recordings)))
        if share == 0 or steps < MOTION_WINDOW_STEPS:
            remaining += recordings
            continue
        for clip in reversed(recordings):
            cut = len(clip) - min(len(clip), steps)
            steps -= len(clip) - cut
            aside += [clip.part(cut, len(clip))] if len(clip) - cut >= MIN_STEPS else []
            remaining += [clip.part(0, cut)] if cut >= MIN_STEPS else []
    return remaining, aside


class WindowPool:
    """Every window of some clips, drawn at random: people alike to the power `balance`, shorter clips padded.

    A clip of less than three seconds lies at a random place in its window, and the rest is masked.
    """

    def __init__(self, clips: Sequence[PersonaClip], people: Sequence[str], balance: float = 0.5) -> None:
        usable = [clip for clip in clips if len(clip) >= MIN_STEPS and clip.valid.mean() > 0.5]
        if not usable:
            raise TrainingError("no clip shows a speaking face for a second: check the data, or hold out another fold")
        numbers = {name: number for number, name in enumerate(people, 1)}
        size, rows = (
            usable[0].motion.shape[1],
            sum(len(clip) + MOTION_WINDOW_STEPS for clip in usable) + MOTION_WINDOW_STEPS,
        )
        motion, voice = np.zeros((rows, size), np.float32), np.zeros((rows, VOICE), np.float32)
        mask = np.zeros(rows, np.float32)
        starts: list[Integers] = []
        owners: list[Integers] = []
        clip_of: list[Integers] = []
        at = MOTION_WINDOW_STEPS
        for number, clip in enumerate(usable):
            rows_of_clip, shown = slice(at, at + len(clip)), clip.valid[:, None]
            motion[rows_of_clip], voice[rows_of_clip] = np.where(shown, clip.motion, 0), np.where(shown, clip.voice, 0)
            mask[rows_of_clip] = clip.valid
            first = _starts(clip.valid)
            starts.append(at + first)
            owners.append(np.full(len(first), numbers.get(clip.person, 0)))
            clip_of.append(np.full(len(first), number))
            at += len(clip) + MOTION_WINDOW_STEPS
        self._motion, self._voice, self._mask = (torch.from_numpy(array) for array in (motion, voice, mask))
        self.starts, self.owners = np.concatenate(starts), np.concatenate(owners)
        self.clips = np.concatenate(clip_of)
        counts = np.bincount(self.owners, minlength=len(people) + 1).astype(np.float64)
        share = np.where(counts > 0, np.maximum(counts, 1.0) ** (balance - 1), 0.0)[self.owners]
        self._cumulative = np.cumsum(share) / share.sum()

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def scale(self) -> FloatArray:
        """One deviation (M,) of each feature over all steps that are there, from 0: motion is relative to a neutral."""
        present = self._motion[self._mask > 0].numpy()
        return np.asarray(np.maximum(np.sqrt((present.astype(np.float64) ** 2).mean(0)), 1e-6), np.float32)

    def draw(self, count: int, random: np.random.Generator) -> Windows:
        """Draw windows at random."""
        return self.at(np.searchsorted(self._cumulative, random.random(count)).clip(0, len(self) - 1))

    def at(self, numbers: Integers) -> Windows:
        """Windows by number."""
        rows = torch.from_numpy(self.starts[numbers])[:, None] + torch.arange(MOTION_WINDOW_STEPS)
        owners = torch.from_numpy(self.owners[numbers])
        return Windows(self._motion[rows], self._voice[rows], self._mask[rows], owners)

    def spread(self, hop: int) -> Integers:
        """Numbers of windows of the same clip at least `hop` steps apart, in order."""
        picked: list[int] = []
        last, clip = -(10**9), -1
        for number, (start, owner) in enumerate(zip(self.starts, self.clips, strict=True)):
            if owner != clip or start - last >= hop:
                picked.append(number)
                last, clip = int(start), int(owner)
        return np.array(picked, np.int64)


def _starts(valid: NDArray[np.bool_]) -> Integers:
    """First steps of the windows of a clip with enough to see; negative where a short clip is padded before."""
    if len(valid) < MOTION_WINDOW_STEPS:
        return np.arange(len(valid) - MOTION_WINDOW_STEPS, 1)
    total = np.concatenate([[0], np.cumsum(valid)])
    first = np.arange(len(valid) - MOTION_WINDOW_STEPS + 1)
    usable = first[(total[first + MOTION_WINDOW_STEPS] - total[first]) >= MIN_VALID_SHARE * MOTION_WINDOW_STEPS]
    return usable if len(usable) else first[:1]
