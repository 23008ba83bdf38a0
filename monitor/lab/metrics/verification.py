"""How well a distance separates the same person from others: pairs drawn by a seed, error rates, intervals. Pure.

A comparison is a false non-match when two photos of one person lie at or beyond the threshold (FNMR is their share),
and a false match when photos of two people lie below it (FMR). Thresholds lie at distances that were observed: a rate
is never interpolated, and with few pairs comes out worse rather than better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.metrics import auc, curve, eer
from monitor.lab.metrics.intervals import bootstrap_interval, resample, wilson
from monitor.lab.metrics.numbers import rounded

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
BOOTSTRAP_ROUNDS = 1000
PIECE = 1 << 14
# False match rates at which the false non-match rate is read off.
FMR_POINTS = (1e-2, 1e-3)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """N comparisons: `first` and `second` (N, 2) are rows of a table of photos, `same` (N,) whether of one person."""

    first: Ints
    second: Ints
    same: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.same)


def draw_pairs(subjects: Sequence[str], same: int, different: int, seed: int) -> Pairs:
    """Draw pairs of photos, given the person on each: `same` of one person, one for each, `different` of two.

    Only people with two photos or more take part. Where there are fewer pairs than asked for, all are given.
    """
    photos_by_subject: dict[str, list[int]] = {}
    for photo, subject in enumerate(subjects):
        photos_by_subject.setdefault(subject, []).append(photo)
    people = [photos for _, photos in sorted(photos_by_subject.items()) if len(photos) > 1]
    random = np.random.default_rng(seed)
    drawn = random.permutation(len(people))[:same]
    genuine = [tuple(int(photo) for photo in random.permutation(people[person])[:2]) for person in drawn]
    impostor: list[tuple[int, int]] = []
    drawn_people: set[tuple[int, int]] = set()
    limit = len(people) * (len(people) - 1) // 2
    while len(impostor) < min(different, limit):
        a, b = (int(person) for person in random.integers(0, len(people), 2))
        if a == b or (min(a, b), max(a, b)) in drawn_people:
            continue
        drawn_people.add((min(a, b), max(a, b)))
        impostor.append((int(random.choice(people[a])), int(random.choice(people[b]))))
    table = np.array(genuine + impostor, np.int64).reshape(-1, 2)
    return Pairs(table[:, 0], table[:, 1], np.arange(len(table)) < len(genuine))


def every_pair(subjects: Sequence[str]) -> Pairs:
    """Compare every photo with every other of these."""
    person = np.unique(np.array(subjects), return_inverse=True)[1]
    first, second = np.triu_indices(len(person), 1)
    return Pairs(first, second, person[first] == person[second])


def distances(vectors: NDArray[np.float32], others: NDArray[np.float32], pairs: Pairs) -> Floats:
    """Compute the distance of each pair, (N,): its first photo is a row of `vectors`, its second one of `others`."""
    # In pieces, so that a table of every pair does not fill memory.
    parts = [
        np.linalg.norm(vectors[pairs.first[at : at + PIECE]] - others[pairs.second[at : at + PIECE]], axis=1)
        for at in range(0, len(pairs), PIECE)
    ]
    return np.concatenate([np.zeros(0), *parts]).astype(np.float64)


def fnmr_at(same: Floats, different: Floats, fmr: float) -> tuple[float, float]:
    """Compute the FNMR at the largest threshold with an FMR of at most `fmr`, and that threshold.

    Neither side may be empty.
    """
    allowed = int(np.floor(fmr * len(different) + 1e-9))
    # Below the next impostor lie exactly as many as are allowed.
    threshold = float(np.sort(different)[allowed]) if allowed < len(different) else float("inf")
    return float((same >= threshold).mean()), threshold


def verify(distance: Floats, pairs: Pairs) -> dict[str, Any]:
    """Compute AUC, EER, its threshold, FNMR at each of `FMR_POINTS`, and counts; only counts where a side is empty."""
    same, different = distance[pairs.same], distance[~pairs.same]
    summary: dict[str, Any] = {"same": len(same), "different": len(different)}
    if not len(same) or not len(different):
        return summary
    summary |= {
        "auc": auc(different, same),
        "eer": eer(different, same),
        "eer_threshold": eer_threshold(same, different),
    }
    for point in FMR_POINTS:
        fnmr, threshold = fnmr_at(same, different, point)
        low, high = wilson(round(fnmr * len(same)), len(same))
        # With fewer impostors than that no false match is allowed at all.
        summary[f"fnmr_at_fmr_{point:g}"] = {
            "fnmr": fnmr,
            "low": low,
            "high": high,
            "threshold": threshold,
            "resolved": len(different) * point >= 1,
        }
    return summary


def eer_threshold(same: Floats, different: Floats) -> float:
    """Find the threshold at which the two error rates come closest; neither side may be empty."""
    levels = np.concatenate([[np.inf], np.unique(np.concatenate([different, same]))[::-1]])
    fmr, fnmr = det(same, different)
    return float(levels[int(np.argmin(np.abs(fmr - fnmr)))])


def det(same: Floats, different: Floats) -> tuple[Floats, Floats]:
    """Compute FMR and FNMR at every threshold, from the laxest to the strictest; neither side may be empty."""
    fnmr, fmr = curve(different, same)
    return fmr, fnmr


def eer_interval(
    distance: Floats, pairs: Pairs, subjects: Sequence[str], rounds: int = BOOTSTRAP_ROUNDS, seed: int = 0
) -> tuple[float, float]:
    """Compute the 95 % interval of the EER, people drawn with replacement: a pair counts as often as both people."""
    people = np.unique(np.array(subjects), return_inverse=True)[1]
    first, second = people[pairs.first], people[pairs.second]
    total = int(people.max()) + 1
    eers = []
    for drawn in resample(total, rounds, seed):
        times = np.bincount(drawn, minlength=total)
        weights = np.where(pairs.same, times[first], times[first] * times[second])
        repeated = np.repeat(distance, weights)
        same = np.repeat(pairs.same, weights)
        if same.any() and not same.all():
            eers.append(eer(repeated[~same], repeated[same]))
    return bootstrap_interval(eers)


def rounded_summary(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Round every float to four decimals, for a file that people read; infinities become None."""
    values: dict[str, Any] = {}
    for key, value in summary.items():
        if isinstance(value, Mapping):
            values[key] = rounded_summary(value)
        else:
            values[key] = rounded(value) if isinstance(value, float) else value
    return values
