"""What the numbers of trials come to: distances in everybody's own measure, the population, and rows to be counted.

Every number is told in deviations of the enrolled person's own windows, drawn to those of people in general
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
from monitor.lab.studies.persona.verification_trials import CONFOUNDS, Confounds, Faced, Seen, cut

# Seconds of speech of the pieces that areas are of, and of those that p-values are read from.
LENGTHS = (3.0, 5.0, 10.0, 20.0)
POPULATION = (1.5, 3.0, 4.0, 10.0, 20.0)
DISTANCE, BOTH, PLAIN = "distance", "both", "without tokens"
SCORES = (DISTANCE, "companion", BOTH, "with tokens", PLAIN, "without tokens, either way")

Doubles = NDArray[np.float64]
Pair = tuple[Faced, Measurer]


@dataclass(frozen=True, slots=True)
class Row:
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
class Crowd:
    """Trials of everybody with the measurer of each, and what people are in general, by column and without a person."""

    faced: tuple[Pair, ...]
    people: PersonaPeople
    names: tuple[str, ...]

    def without(self, person: str) -> PersonaPeople:
        """Give the genuine scores of everybody else."""
        others = self.people.person != self.names.index(person)
        kept = {name: getattr(self.people, name)[others] for name in ("scores", "seconds", "person")}
        return replace(self.people, **kept)


def gather(faced: Sequence[Pair], key: str, also: Sequence[Pair] = (), weights: Sequence[float] = (1.0, 1.0)) -> Crowd:
    """Make the population of all trials; `key` is that of the packs that it will be beside.

    `weights` are those of the distance and of its companion where both make one number.

    Probes of the same trials under another condition, `also`, add their scores; what is usual is told by the first.
    """
    names = tuple(sorted({each.person for each, _ in faced}))
    scores: list[Doubles] = []
    seconds: list[float] = []
    person: list[int] = []
    for each, measurer in (*faced, *also):
        location, scale = _level(each, _others(faced, each, measurer), GAP)
        for length in POPULATION:
            for piece in cut(each.own, measurer, length):
                values = np.array([values for _, values in piece])
                z = (values[:, GAP] - location) / scale
                scores.append(np.array([z.mean(), values[:, COMPANION].mean()]))
                seconds.append(length)
                person.append(names.index(each.person))
    location, scale, single = usual([each for each, _ in faced], GAP)
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
    return Crowd(tuple(faced), people, names)


def _others(faced: Sequence[Pair], one: Faced, measurer: Measurer) -> list[Faced]:
    """Trials of everybody else by the same packs: another pair has another scale."""
    return [other for other, by in faced if other.person != one.person and by is measurer]


def usual(faced: Sequence[Faced], column: int) -> tuple[float, float, float]:
    """Where genuine probes lie in general, how far from there, and how much farther than within one recording.

    Everybody weighs the same.
    """
    names = sorted({each.person for each in faced})
    probes = [np.concatenate([_probed(each, column) for each in faced if each.person == name]) for name in names]
    probes = [own for own in probes if len(own)]
    location = float(np.mean([own.mean() for own in probes])) if probes else 0.0
    spread = [float(own.var() + (own.mean() - location) ** 2) for own in probes]
    farther = []
    for each in faced:
        own, there = _own(each.enrolled, column), _probed(each, column)
        if len(np.unique(each.enrolled.reference.clip)) == 1 and len(own) and len(there):
            farther.append(float(there.mean() - own.mean()))
    single = max(float(np.mean(farther)), 0.0) if farther else 0.0
    return location, max(float(np.sqrt(np.mean(spread))) if spread else 1.0, 1e-6), single


def _probed(faced: Faced, column: int) -> Doubles:
    return np.concatenate([np.zeros(0), *(each.values[:, column] for each in faced.own)])


def _own(enrolled: Enrolled, column: int) -> Doubles:
    own, plain = enrolled.reference.own, enrolled.plain
    return {GAP: own, WITH: own + plain, WITHOUT: plain}[column]


def _level(faced: Faced, others: Sequence[Faced], column: int) -> tuple[float, float]:
    """Location and scale of a column for one enrolment."""
    location, scale, single = usual(others, column)
    empty = np.zeros(0)
    people = PersonaPeople("", location, scale, single, np.zeros((0, 2)), empty, empty.astype(np.int64))
    return usual_distance(_own(faced.enrolled, column), faced.enrolled.reference.clip, people)


class Scorer:
    """One trial's numbers made into scores, by people in general without the person."""

    def __init__(self, crowd: Crowd, faced: Faced, measurer: Measurer, confounds: Confounds) -> None:
        others = _others(crowd.faced, faced, measurer)
        self._levels = {column: _level(faced, others, column) for column in (GAP, WITH, WITHOUT)}
        self._people, self._confounds = crowd.without(faced.person), confounds
        self._enrolled = _about(faced.trial.enrolled, confounds)

    def __call__(self, piece: Sequence[tuple[Part, Doubles]]) -> dict[str, float]:
        """Score the windows of a piece, or of a whole clip: higher is less like the person."""
        values = np.array([values for _, values in piece])
        z = {c: float(np.mean((values[:, c] - at) / by)) for c, (at, by) in self._levels.items()}
        companion = float(np.mean(values[:, COMPANION]))
        about = _about([part for part, _ in piece], self._confounds)
        return {
            DISTANCE: z[GAP],
            "companion": companion,
            BOTH: self._people.value(np.array([z[GAP], companion])),
            "with tokens": z[WITH],
            PLAIN: z[WITHOUT],
            "without tokens, either way": abs(z[WITHOUT]),
            **{name: abs(about[name] - self._enrolled[name]) for name in CONFOUNDS},
        }


def _about(parts: Sequence[Part], confounds: Confounds) -> dict[str, float]:
    """Mean of what is known of some parts without how anybody moves in them."""
    nothing = dict.fromkeys(CONFOUNDS, float("nan"))
    told = [{**nothing, **confounds.get(key, {}), **_read(part)} for key, part in ((p.footage.key, p) for p in parts)]
    return {name: float(np.mean([each[name] for each in told])) for name in CONFOUNDS}


@lru_cache(4096)
def _read(part: Part) -> dict[str, float]:
    return {"size": part.size, "jitter": part.jitter}


def rows_of(
    crowd: Crowd, confounds: Confounds, faced: Sequence[Pair] | None = None, lengths: Sequence[float] = LENGTHS
) -> Iterator[Row]:
    """Cut everybody's probes into pieces of each length and score them against each enrolment.

    `faced` are the same trials with their probes under another condition, if not as the crowd has them.
    """
    for each, measurer in crowd.faced if faced is None else faced:
        score = Scorer(crowd, each, measurer, confounds)
        sides: list[tuple[str, Sequence[Seen]]] = [(each.person, each.own), *each.others.items()]
        for length in lengths:
            for name, seen in sides:
                for piece in cut(seen, measurer, length):
                    yield Row(each.person, each.trial.number, name, length, score(piece))
