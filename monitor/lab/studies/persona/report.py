"""How well distances separate the enrolled person from others: AUC by person, with intervals over people.

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
from monitor.lab.studies.persona.scores import ScoredPiece

# Rounds of the bootstrap, of a mean over people and of an AUC over everybody.
MEAN_ROUNDS, POOLED_ROUNDS = 2000, 300

Doubles = NDArray[np.float64]
# Of each person the genuine and the impostors' scores of each enrolment.
Sides = dict[str, list[tuple[Doubles, Doubles]]]


def sides(rows: Sequence[ScoredPiece], score: str) -> Sides:
    """Scores by person and enrolment: genuine and impostors'; people without both are left out."""
    groups: defaultdict[tuple[str, int], tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for row in rows:
        value = row.scores[score]
        if np.isfinite(value):
            groups[row.person, row.trial][0 if row.genuine else 1].append(value)
    scores_by_person: Sides = {}
    for (person, _), (genuine, impostors) in sorted(groups.items()):
        if genuine and impostors:
            scores_by_person.setdefault(person, []).append((np.array(genuine), np.array(impostors)))
    return scores_by_person


def by_person(scores_by_person: Sides) -> dict[str, float]:
    """AUC of each person: the mean over their enrolments."""
    return {
        name: float(np.mean([auc(impostors, genuine) for genuine, impostors in pairs]))
        for name, pairs in scores_by_person.items()
    }


def area(rows: Sequence[ScoredPiece], score: str) -> dict[str, Any]:
    """Mean and pooled area of a score with intervals, the error rate, and counts of people and pieces."""
    scores_by_person = sides(rows, score)
    areas = np.array(list(by_person(scores_by_person).values()))
    pooled = _pooled([scores_by_person[name] for name in scores_by_person])
    low, high = mean_interval(areas, MEAN_ROUNDS)
    names = list(scores_by_person)
    rounds = POOLED_ROUNDS if len(names) > 1 else 0
    drawn_aucs = [_pooled([scores_by_person[names[n]] for n in picked])[0] for picked in resample(len(names), rounds)]
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
        "genuine": sum(len(genuine) for pairs in scores_by_person.values() for genuine, _ in pairs),
        "impostor": sum(len(impostors) for pairs in scores_by_person.values() for _, impostors in pairs),
    }


def _pooled(people: Sequence[Sequence[tuple[Doubles, Doubles]]]) -> tuple[float, float]:
    genuine = np.concatenate([np.zeros(0), *(a for pairs in people for a, _ in pairs)])
    impostors = np.concatenate([np.zeros(0), *(b for pairs in people for _, b in pairs)])
    return auc(impostors, genuine), eer(impostors, genuine)


def difference(
    rows: Sequence[ScoredPiece], score: str, than: str, before: Sequence[ScoredPiece] | None = None
) -> dict[str, Any]:
    """By how much the area of `score` lies above that of `than`, person by person, with the interval of the mean.

    With `before`, `than` is taken of those rows instead: the same people under another condition.
    """
    aucs, reference_aucs = by_person(sides(rows, score)), by_person(sides(before if before is not None else rows, than))
    gains = np.array([aucs[name] - reference_aucs[name] for name in aucs if name in reference_aucs])
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
    rows: Sequence[ScoredPiece],
    groups: Mapping[str, Sequence[str]],
    scores: Sequence[str],
    pairs: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """Describe groups of enrolled people by length: areas of every score, gains of pairs of them, areas by person."""
    description: dict[str, Any] = {}
    for group, names in groups.items():
        group_rows = [row for row in rows if row.person in names]
        description[group] = {}
        for length in sorted({row.seconds for row in group_rows}):
            length_rows = [row for row in group_rows if row.seconds == length]
            description[group][f"{length:g} s"] = {
                **{score: area(length_rows, score) for score in scores},
                "gains": {f"{a} over {b}": difference(length_rows, a, b) for a, b in pairs},
                "by_person": _people(length_rows, scores),
            }
    return description


def _people(rows: Sequence[ScoredPiece], scores: Sequence[str]) -> dict[str, dict[str, float | None]]:
    aucs_by_person: defaultdict[str, dict[str, float | None]] = defaultdict(dict)
    for score in scores:
        for name, value in by_person(sides(rows, score)).items():
            aucs_by_person[name][score] = rounded(value)
    return dict(aucs_by_person)
