"""How well distances tell the enrolled person from others: areas by person, with intervals over people.

Impostors and genuine pieces are compared within one enrolment and areas averaged over people, which no difference of
level between people can help; `pooled` is the area over everybody at once, at one threshold. People are drawn with
replacement, with all their trials: the few people there are, and not the many pieces, are what a number rests on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.metrics import auc, eer
from monitor.lab.metrics.intervals import bootstrap_interval, mean_interval, resample
from monitor.lab.metrics.numbers import rounded
from monitor.lab.studies.persona.scores import Row

# Rounds of the bootstrap, of a mean over people and of an AUC over everybody.
MEAN_ROUNDS, POOLED_ROUNDS = 2000, 300

Doubles = NDArray[np.float64]
# Of each person the genuine and the impostors' scores of each enrolment.
Sides = dict[str, list[tuple[Doubles, Doubles]]]


def sides(rows: Sequence[Row], score: str) -> Sides:
    """Scores by person and enrolment: genuine and impostors'; people without both are left out."""
    groups: defaultdict[tuple[str, int], tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for row in rows:
        value = row.scores[score]
        if np.isfinite(value):
            groups[row.person, row.trial][0 if row.genuine else 1].append(value)
    found: Sides = {}
    for (person, _), (own, others) in sorted(groups.items()):
        if own and others:
            found.setdefault(person, []).append((np.array(own), np.array(others)))
    return found


def by_person(found: Sides) -> dict[str, float]:
    """Area of each person: the mean over their enrolments."""
    return {name: float(np.mean([auc(others, own) for own, others in pairs])) for name, pairs in found.items()}


def area(rows: Sequence[Row], score: str) -> dict[str, Any]:
    """Mean and pooled area of a score with intervals, the error rate, and counts of people and pieces."""
    found = sides(rows, score)
    areas = np.array(list(by_person(found).values()))
    pooled = _pooled([found[name] for name in found])
    low, high = mean_interval(areas, MEAN_ROUNDS)
    names = list(found)
    rounds = POOLED_ROUNDS if len(names) > 1 else 0
    drawn_aucs = [_pooled([found[names[n]] for n in drawn])[0] for drawn in resample(len(names), rounds)]
    pooled_low, pooled_high = bootstrap_interval(drawn_aucs)
    return {
        "auc": rounded(float(areas.mean()) if len(areas) else float("nan")),
        "auc_low": rounded(low),
        "auc_high": rounded(high),
        "pooled": rounded(pooled[0]),
        "pooled_low": rounded(pooled_low),
        "pooled_high": rounded(pooled_high),
        "eer": rounded(pooled[1]),
        "people": len(names),
        "genuine": sum(len(own) for pairs in found.values() for own, _ in pairs),
        "impostor": sum(len(others) for pairs in found.values() for _, others in pairs),
    }


def _pooled(people: Sequence[Sequence[tuple[Doubles, Doubles]]]) -> tuple[float, float]:
    own = np.concatenate([np.zeros(0), *(a for pairs in people for a, _ in pairs)])
    others = np.concatenate([np.zeros(0), *(b for pairs in people for _, b in pairs)])
    return auc(others, own), eer(others, own)


def difference(rows: Sequence[Row], score: str, than: str, before: Sequence[Row] | None = None) -> dict[str, Any]:
    """By how much the area of `score` lies above that of `than`, person by person, with the interval of the mean.

    With `before`, `than` is taken of those rows instead: the same people under another condition.
    """
    one, other = by_person(sides(rows, score)), by_person(sides(before if before is not None else rows, than))
    gains = np.array([one[name] - other[name] for name in one if name in other])
    low, high = mean_interval(gains, MEAN_ROUNDS)
    return {
        "gain": rounded(float(gains.mean()) if len(gains) else float("nan")),
        "gain_low": rounded(low),
        "gain_high": rounded(high),
        "people": len(gains),
        "better": int((gains > 0).sum()),
        "worse": int((gains < 0).sum()),
    }


def described(
    rows: Sequence[Row], groups: Mapping[str, Sequence[str]], scores: Sequence[str], pairs: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """Describe groups of enrolled people by length: areas of every score, gains of pairs of them, areas by person."""
    told: dict[str, Any] = {}
    for group, names in groups.items():
        own = [row for row in rows if row.person in names]
        told[group] = {}
        for length in sorted({row.seconds for row in own}):
            some = [row for row in own if row.seconds == length]
            told[group][f"{length:g} s"] = {
                **{score: area(some, score) for score in scores},
                "gains": {f"{a} over {b}": difference(some, a, b) for a, b in pairs},
                "by_person": _people(some, scores),
            }
    return told


def _people(rows: Sequence[Row], scores: Sequence[str]) -> dict[str, dict[str, float | None]]:
    told: defaultdict[str, dict[str, float | None]] = defaultdict(dict)
    for score in scores:
        for name, value in by_person(sides(rows, score)).items():
            told[name][score] = rounded(value)
    return dict(told)
