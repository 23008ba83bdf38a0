"""What the numbers of trials come to: distances in everybody's own measure, the population, and rows to be counted.

Every number is in deviations of the enrolled person's own windows, drawn to those of people in general
(`monitor.detectors.persona.detector.usual_distance`), and people in general are always the others: nobody is
measured by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from monitor.detectors.persona.detector import PersonaPeople, usual_distance
from monitor.lab.studies.persona.measures import COMPANION, GAP, WITH, WITHOUT, Enrolled, Measurer
from monitor.lab.studies.persona.recordings import Part
from monitor.lab.studies.persona.verification_trials import CONFOUNDS, Confounds, ScoredPart, TrialResult, cut

# Seconds of speech of the pieces that areas are of, and of those that p-values are read from.
PIECE_SECONDS = (3.0, 5.0, 10.0, 20.0)
POPULATION_SECONDS = (1.5, 3.0, 4.0, 10.0, 20.0)
DISTANCE, BOTH, PLAIN = "distance", "both", "without tokens"
SCORES = (DISTANCE, "companion", BOTH, "with tokens", PLAIN, "without tokens, either way")

Doubles = NDArray[np.float64]
MeasuredTrial = tuple[TrialResult, Measurer]


@dataclass(frozen=True, slots=True)
class ScoredPiece:
    """One piece against one enrolment of `person`; `other` is who is seen, the same for a genuine piece."""

    person: str
    trial: int
    other: str
    seconds: float
    scores: dict[str, float]

    @property
    def genuine(self) -> bool:
        """Whether the enrolled person is seen."""
        return self.person == self.other


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """Trials of everybody with the measurer of each, and what people are in general, by column and without a person."""

    faced: tuple[MeasuredTrial, ...]
    people: PersonaPeople
    names: tuple[str, ...]

    def without(self, person: str) -> PersonaPeople:
        """Return the genuine scores of everybody else."""
        other_people = self.people.person != self.names.index(person)
        arrays = {name: getattr(self.people, name)[other_people] for name in ("scores", "seconds", "person")}
        return replace(self.people, **arrays)


def build_cohort(
    measured: Sequence[MeasuredTrial],
    key: str,
    measured_again: Sequence[MeasuredTrial] = (),
    weights: Sequence[float] = (1.0, 1.0),
) -> Cohort:
    """Make the population of all trials; `key` is that of the packs that it will be beside.

    `weights` are those of the distance and of its companion where both make one number.

    Probes of the same trials under another condition, `measured_again`, add their scores; the usual distance comes from
    the first.
    """
    names = tuple(sorted({result.person for result, _ in measured}))
    scores: list[Doubles] = []
    seconds: list[float] = []
    person: list[int] = []
    for result, measurer in (*measured, *measured_again):
        location, scale = _level(result, _others(measured, result, measurer), GAP)
        for length in POPULATION_SECONDS:
            for piece in cut(result.genuine, measurer, length):
                values = np.array([values for _, values in piece])
                z = (values[:, GAP] - location) / scale
                scores.append(np.array([z.mean(), values[:, COMPANION].mean()]))
                seconds.append(length)
                person.append(names.index(result.person))
    location, scale, single = usual([result for result, _ in measured], GAP)
    table = np.array(scores, np.float64).reshape(-1, 2)
    people = PersonaPeople(
        key,
        location,
        scale,
        single,
        table,
        np.array(seconds, np.float64),
        np.array(person, np.int64),
        np.array(weights, np.float64),
    )
    return Cohort(tuple(measured), people, names)


def _others(measured: Sequence[MeasuredTrial], measured_result: TrialResult, measurer: Measurer) -> list[TrialResult]:
    """Trials of everybody else by the same packs: another pair has another scale."""
    return [result for result, by in measured if result.person != measured_result.person and by is measurer]


def usual(results: Sequence[TrialResult], column: int) -> tuple[float, float, float]:
    """Where genuine probes lie in general, how far from there, and how much farther than within one recording.

    Everybody weighs the same.
    """
    names = sorted({result.person for result in results})
    values_by_person = [
        np.concatenate([_probed(result, column) for result in results if result.person == name]) for name in names
    ]
    values_by_person = [values for values in values_by_person if len(values)]
    location = float(np.mean([values.mean() for values in values_by_person])) if values_by_person else 0.0
    variances = [float(values.var() + (values.mean() - location) ** 2) for values in values_by_person]
    gaps = []
    for result in results:
        values, probe_values = _leave_one_out(result.enrolled, column), _probed(result, column)
        if len(np.unique(result.enrolled.reference.clip)) == 1 and len(values) and len(probe_values):
            gaps.append(float(probe_values.mean() - values.mean()))
    single = max(float(np.mean(gaps)), 0.0) if gaps else 0.0
    return location, max(float(np.sqrt(np.mean(variances))) if variances else 1.0, 1e-6), single


def _probed(result: TrialResult, column: int) -> Doubles:
    return np.concatenate([np.zeros(0), *(scored.values[:, column] for scored in result.genuine)])


def _leave_one_out(enrolled: Enrolled, column: int) -> Doubles:
    distances, plain_errors = enrolled.reference.own_distances, enrolled.plain
    return {GAP: distances, WITH: distances + plain_errors, WITHOUT: plain_errors}[column]


def _level(result: TrialResult, others: Sequence[TrialResult], column: int) -> tuple[float, float]:
    """Location and scale of a column for one enrolment."""
    location, scale, single = usual(others, column)
    empty = np.zeros(0)
    people = PersonaPeople("", location, scale, single, np.zeros((0, 2)), empty, empty.astype(np.int64))
    return usual_distance(_leave_one_out(result.enrolled, column), result.enrolled.reference.clip, people)


class Scorer:
    """One trial's numbers made into scores, by people in general without the person."""

    def __init__(self, crowd: Cohort, faced: TrialResult, measurer: Measurer, confounds: Confounds) -> None:
        others = _others(crowd.faced, faced, measurer)
        self._levels = {column: _level(faced, others, column) for column in (GAP, WITH, WITHOUT)}
        self._people, self._confounds = crowd.without(faced.person), confounds
        self._enrolled = _confounds_of(faced.trial.enrolled, confounds)

    def __call__(self, piece: Sequence[tuple[Part, Doubles]]) -> dict[str, float]:
        """Score the windows of a piece, or of a whole clip: higher is less like the person."""
        values = np.array([values for _, values in piece])
        z = {c: float(np.mean((values[:, c] - at) / by)) for c, (at, by) in self._levels.items()}
        companion = float(np.mean(values[:, COMPANION]))
        confounds = _confounds_of([part for part, _ in piece], self._confounds)
        return {
            DISTANCE: z[GAP],
            "companion": companion,
            BOTH: self._people.value(np.array([z[GAP], companion])),
            "with tokens": z[WITH],
            PLAIN: z[WITHOUT],
            "without tokens, either way": abs(z[WITHOUT]),
            **{name: abs(confounds[name] - self._enrolled[name]) for name in CONFOUNDS},
        }


def _confounds_of(parts: Sequence[Part], confounds: Confounds) -> dict[str, float]:
    """Mean of what is known of some parts without how anybody moves in them."""
    nothing = dict.fromkeys(CONFOUNDS, float("nan"))
    by_part = [
        {**nothing, **confounds.get(key, {}), **_read(part)} for key, part in ((p.footage.key, p) for p in parts)
    ]
    return {name: float(np.mean([values[name] for values in by_part])) for name in CONFOUNDS}


@lru_cache(4096)
def _read(part: Part) -> dict[str, float]:
    return {"size": part.size, "jitter": part.jitter}


def rows_of(
    cohort: Cohort,
    confounds: Confounds,
    measured: Sequence[MeasuredTrial] | None = None,
    lengths: Sequence[float] = PIECE_SECONDS,
) -> Iterator[ScoredPiece]:
    """Cut everybody's probes into pieces of each length and score them against each enrolment.

    `measured` are the same trials with their probes under another condition, if not as the crowd has them.
    """
    for result, measurer in cohort.faced if measured is None else measured:
        score = Scorer(cohort, result, measurer, confounds)
        sides: list[tuple[str, Sequence[ScoredPart]]] = [(result.person, result.genuine), *result.others.items()]
        for length in lengths:
            for name, scored_parts in sides:
                for piece in cut(scored_parts, measurer, length):
                    yield ScoredPiece(result.person, result.trial.number, name, length, score(piece))
