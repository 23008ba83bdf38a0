"""Who is measured against whom: every enrolled side against its own person, everybody else, and their forgeries.

The rule of a person-of-interest protocol: an impostor brings their own voice and their own movement, so that what
betrays them is not a voice that does not fit the lips. Everybody in it was left out of the training of the packs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from monitor.face.condition import CONDITIONS, measure_condition
from monitor.lab.corpus.face_shots import load_looks
from monitor.lab.corpus.manifest import Row
from monitor.lab.studies.face_population import LADDER
from monitor.lab.studies.persona.measures import Enrolled, Measurer
from monitor.lab.studies.persona.recordings import (
    OF_INTEREST,
    Footage,
    Part,
    Tick,
    Trial,
    by_person,
    pieces,
    speech_of,
    trials,
)
from monitor.window.grid import GRID_HZ

# So much of the film of each impostor is measured.
OTHER_SECONDS = 40.0
CONFOUNDS = ("bitrate", "sharpness", "size", "jitter")

Doubles = NDArray[np.float64]
Confounds = Mapping[str, Mapping[str, float]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One part that was measured against an enrolment: its windows' numbers (N, 4)."""

    part: Part
    values: Doubles


@dataclass(frozen=True, slots=True, eq=False)
class Faced:
    """One trial, measured: the person's probes, everybody else's, and forged clips of the person.

    `own_recording` says that the enrolled side is of one recording.
    """

    trial: Trial
    enrolled: Enrolled
    own: tuple[Seen, ...]
    others: Mapping[str, tuple[Seen, ...]]
    forged: tuple[Seen, ...]

    @property
    def person(self) -> str:
        """Who is enrolled."""
        return self.trial.person


def face_everybody(footage: Sequence[Footage], measurer: Measurer, tick: Tick) -> list[Faced]:
    """Enrol everybody who can be, and measure everything against it; `tick` is told of each person.

    People of interest, and those of whom there are forgeries, are enrolled both ways, others once: it takes a minute.
    """
    people, forged = by_person(footage), forged_of(footage)
    brought = {name: tuple(_some(own)) for name, own in people.items()}
    found = []
    for name, own in people.items():
        divided = trials(name, own, name in forged or speech_of(own) >= OF_INTEREST)
        able = 0
        for trial in divided:
            enrolled = measurer.enrol(trial, lambda _share: None)
            if enrolled is not None:
                able += 1
                found.append(_faced(trial, enrolled, brought, forged.get(name, ()), measurer))
        tick(None if able else f"{name}: too little speech to be enrolled")
    return found


def _faced(
    trial: Trial,
    enrolled: Enrolled,
    brought: Mapping[str, Sequence[Part]],
    forged: Sequence[Footage],
    measurer: Measurer,
) -> Faced:
    def seen(parts: Sequence[Part]) -> tuple[Seen, ...]:
        return tuple(Seen(part, measurer.measure(enrolled, part)) for part in parts)

    others = {name: seen(parts) for name, parts in brought.items() if name != trial.person}
    return Faced(trial, enrolled, seen(trial.probes), others, seen([_beside(trial, fake) for fake in forged]))


def face_again(faced: Faced, footage: Mapping[str, Footage], measurer: Measurer) -> Faced:
    """Measure the same probes in other footage of the same clips, by name, against the same enrolment."""

    def seen(parts: Sequence[Seen]) -> tuple[Seen, ...]:
        there = [each.part for each in parts if each.part.footage.row.name in footage]
        again = [Part(footage[part.footage.row.name], part.first, part.last) for part in there]
        return tuple(Seen(part, measurer.measure(faced.enrolled, part)) for part in again)

    others = {name: seen(parts) for name, parts in faced.others.items()}
    return Faced(faced.trial, faced.enrolled, seen(faced.own), others, ())


def _beside(trial: Trial, fake: Footage) -> Part:
    """Take of a forged clip what corresponds to the genuine probe: the same half where that is half of a recording."""
    if not trial.same_recording:
        return Part.whole(fake)
    middle = len(fake.motion) // 2
    late = trial.probes[0].first > 0
    return Part(fake, middle, len(fake.motion)) if late else Part(fake, 0, middle)


def _some(own: Sequence[Footage]) -> Iterator[Part]:
    left = round(OTHER_SECONDS * GRID_HZ)
    for footage in own:
        if left > 0:
            part = Part(footage, 0, min(len(footage.motion), left))
            left -= part.last
            yield part


def forged_of(footage: Sequence[Footage]) -> dict[str, list[Footage]]:
    """Forged footage by the person that it shows."""
    groups: defaultdict[str, list[Footage]] = defaultdict(list)
    for each in footage:
        if each.row.label == "fake":
            groups[each.row.subject].append(each)
    return dict(groups)


def cut(seen: Sequence[Seen], measurer: Measurer, seconds: float) -> list[list[tuple[Part, Doubles]]]:
    """Gather the windows of parts into pieces of so many seconds of speech: of each the part and the numbers (4,)."""
    windows = [measurer.windows(each.part) for each in seen]
    return [[(seen[p].part, seen[p].values[n]) for p, n in piece] for piece in pieces(windows, seconds)]


def confounds_of(
    footage: Sequence[Footage], cache: Path, workers: int, tick: Callable[[str | None], None]
) -> Confounds:
    """Tell of recordings, by key, what has nothing to do with how anybody moves: the first of `CONFOUNDS`.

    Sharpness is a median over looks at the face; both are logarithms. The others are those of a part of a recording.
    """
    told: dict[str, dict[str, float]] = {}
    for label in ("real", "fake"):
        own = [each for each in footage if each.row.label == label]
        steps = LADDER[: 2 if label == "real" else 1]
        rows: list[Row] = [each.row for each in own]
        for each, (_, looks) in zip(own, load_looks(rows, cache, workers, steps, lambda _count: None), strict=True):
            shots = [] if isinstance(looks, str) else next(iter(looks.rungs.values()), [])
            middle = (
                np.median([measure_condition(shot) for shot in shots], axis=0)
                if shots
                else np.full(len(CONDITIONS), np.nan)
            )
            told[each.key] = {
                "bitrate": float(np.log2(max(each.bitrate, 1.0))),
                "sharpness": float(middle[CONDITIONS.index("sharpness")]),
            }
            tick(None)
    return told
