"""Who is measured against whom: every enrolled side against its own person, everybody else, and their forgeries.

The rule of a person-of-interest protocol: an impostor brings their own voice and their own movement, so that what
betrays them is not a voice that does not fit the lips. Everybody in it was left out of the training of the packs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from monitor.face.condition import CONDITIONS, measure_condition
from monitor.lab.corpus.face_shots import load_looks
from monitor.lab.corpus.manifest import Row, group_by_subject
from monitor.lab.studies.face_population import LADDER
from monitor.lab.studies.persona.measures import Enrolled, Measurer
from monitor.lab.studies.persona.recordings import (
    OF_INTEREST_SECONDS,
    Footage,
    MotionTrial,
    Part,
    Tick,
    pieces,
    speech_of,
    trials,
)
from monitor.window.grid import GRID_HZ

# So much of the film of each impostor is measured.
IMPOSTOR_SECONDS = 40.0
CONFOUNDS = ("bitrate", "sharpness", "size", "jitter")

Doubles = NDArray[np.float64]
Confounds = Mapping[str, Mapping[str, float]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class ScoredPart:
    """One part that was measured against an enrolment: its windows' numbers (N, 4)."""

    part: Part
    values: Doubles


@dataclass(frozen=True, slots=True, eq=False)
class TrialResult:
    """One trial, measured: the person's probes, everybody else's, and forged clips of the person.

    `own_recording` says that the enrolled side is of one recording.
    """

    trial: MotionTrial
    enrolled: Enrolled
    genuine: tuple[ScoredPart, ...]
    others: Mapping[str, tuple[ScoredPart, ...]]
    forged: tuple[ScoredPart, ...]

    @property
    def person(self) -> str:
        """Who is enrolled."""
        return self.trial.person


def measure_trials(footage: Sequence[Footage], measurer: Measurer, tick: Tick) -> list[TrialResult]:
    """Enrol everybody who can be, and measure everything against it; `tick` is called for each person.

    People of interest, and those of whom there are forgeries, are enrolled both ways, others once: it takes a minute.
    """
    people, forged = group_by_subject(footage, "real"), group_by_subject(footage, "fake")
    impostor_parts = {name: tuple(_some(recordings)) for name, recordings in people.items()}
    results = []
    for name, recordings in people.items():
        divided = trials(name, recordings, name in forged or speech_of(recordings) >= OF_INTEREST_SECONDS)
        enrolled_sides = 0
        for trial in divided:
            enrolled = measurer.enrol(trial, lambda _share: None)
            if enrolled is not None:
                enrolled_sides += 1
                results.append(_faced(trial, enrolled, impostor_parts, forged.get(name, ()), measurer))
        tick(None if enrolled_sides else f"{name}: too little speech to be enrolled")
    return results


def _faced(
    trial: MotionTrial,
    enrolled: Enrolled,
    impostor_parts: Mapping[str, Sequence[Part]],
    forged: Sequence[Footage],
    measurer: Measurer,
) -> TrialResult:
    def measure_parts(parts: Sequence[Part]) -> tuple[ScoredPart, ...]:
        return tuple(ScoredPart(part, measurer.measure(enrolled, part)) for part in parts)

    others = {name: measure_parts(parts) for name, parts in impostor_parts.items() if name != trial.person}
    return TrialResult(
        trial, enrolled, measure_parts(trial.probes), others, measure_parts([_beside(trial, fake) for fake in forged])
    )


def measure_again(result: TrialResult, footage: Mapping[str, Footage], measurer: Measurer) -> TrialResult:
    """Measure the same probes in other footage of the same clips, by name, against the same enrolment."""

    def measure_parts(parts: Sequence[ScoredPart]) -> tuple[ScoredPart, ...]:
        available = [scored.part for scored in parts if scored.part.footage.row.name in footage]
        again = [Part(footage[part.footage.row.name], part.first, part.last) for part in available]
        return tuple(ScoredPart(part, measurer.measure(result.enrolled, part)) for part in again)

    others = {name: measure_parts(parts) for name, parts in result.others.items()}
    return TrialResult(result.trial, result.enrolled, measure_parts(result.genuine), others, ())


def _beside(trial: MotionTrial, fake: Footage) -> Part:
    """Take of a forged clip what corresponds to the genuine probe: the same half where that is half of a recording."""
    if not trial.same_recording:
        return Part.whole(fake)
    middle = len(fake.motion) // 2
    second_half = trial.probes[0].first > 0
    return Part(fake, middle, len(fake.motion)) if second_half else Part(fake, 0, middle)


def _some(recordings: Sequence[Footage]) -> Iterator[Part]:
    steps_left = round(IMPOSTOR_SECONDS * GRID_HZ)
    for footage in recordings:
        if steps_left > 0:
            part = Part(footage, 0, min(len(footage.motion), steps_left))
            steps_left -= part.last
            yield part


def cut(scored_parts: Sequence[ScoredPart], measurer: Measurer, seconds: float) -> list[list[tuple[Part, Doubles]]]:
    """Gather the windows of parts into pieces of so many seconds of speech: of each the part and the numbers (4,)."""
    windows = [measurer.windows(scored.part) for scored in scored_parts]
    return [[(scored_parts[p].part, scored_parts[p].values[n]) for p, n in piece] for piece in pieces(windows, seconds)]


def confounds_of(
    footage: Sequence[Footage], cache: Path, workers: int, tick: Callable[[str | None], None]
) -> Confounds:
    """Tell of recordings, by key, what has nothing to do with how anybody moves: the first of `CONFOUNDS`.

    Sharpness is a median over looks at the face; both are logarithms. The others are those of a part of a recording.
    """
    confounds: dict[str, dict[str, float]] = {}
    for label in ("real", "fake"):
        recordings = [recording for recording in footage if recording.row.label == label]
        steps = LADDER[: 2 if label == "real" else 1]
        rows: list[Row] = [recording.row for recording in recordings]
        for recording, (_, looks) in zip(
            recordings, load_looks(rows, cache, workers, steps, lambda _count: None), strict=True
        ):
            shots = [] if isinstance(looks, str) else next(iter(looks.rungs.values()), [])
            medians = (
                np.median([measure_condition(shot) for shot in shots], axis=0)
                if shots
                else np.full(len(CONDITIONS), np.nan)
            )
            confounds[recording.key] = {
                "bitrate": float(np.log2(max(recording.bitrate, 1.0))),
                "sharpness": float(medians[CONDITIONS.index("sharpness")]),
            }
            tick(None)
    return confounds
