"""How well a distance tells the same person from another: pairs drawn by a seed, error rates and their intervals. Pure.

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

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
ROUNDS = 1000
POINTS = (1e-2, 1e-3)


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
    by: dict[str, list[int]] = {}
    for row, subject in enumerate(subjects):
        by.setdefault(subject, []).append(row)
    people = [rows for _, rows in sorted(by.items()) if len(rows) > 1]
    random = np.random.default_rng(seed)
    chosen = random.permutation(len(people))[:same]
    ours = [tuple(int(n) for n in random.permutation(people[k])[:2]) for k in chosen]
    others: list[tuple[int, int]] = []
    taken: set[tuple[int, int]] = set()
    limit = len(people) * (len(people) - 1) // 2
    while len(others) < min(different, limit):
        a, b = (int(n) for n in random.integers(0, len(people), 2))
        if a == b or (min(a, b), max(a, b)) in taken:
            continue
        taken.add((min(a, b), max(a, b)))
        others.append((int(random.choice(people[a])), int(random.choice(people[b]))))
    table = np.array(ours + others, np.int64).reshape(-1, 2)
    return Pairs(table[:, 0], table[:, 1], np.arange(len(table)) < len(ours))


def every_pair(subjects: Sequence[str]) -> Pairs:
    """Compare every photo with every other of these."""
    names = np.unique(np.array(subjects), return_inverse=True)[1]
    first, second = np.triu_indices(len(names), 1)
    return Pairs(first, second, names[first] == names[second])


def distances(vectors: NDArray[np.float32], others: NDArray[np.float32], pairs: Pairs) -> Floats:
    """Euclidean distance of each pair, (N,): its first photo out of `vectors`, its second out of `others`."""
    size = 1 << 14
    parts = [
        np.linalg.norm(vectors[pairs.first[at : at + size]] - others[pairs.second[at : at + size]], axis=1)
        for at in range(0, len(pairs), size)
    ]
    return np.concatenate([np.zeros(0), *parts]).astype(np.float64)


def fnmr_at(same: Floats, different: Floats, fmr: float) -> tuple[float, float]:
    """FNMR at the largest threshold whose FMR is at most `fmr`, and that threshold; neither side may be empty."""
    allowed = int(np.floor(fmr * len(different) + 1e-9))
    # Below the next impostor lie exactly as many as are allowed.
    threshold = float(np.sort(different)[allowed]) if allowed < len(different) else float("inf")
    return float((same >= threshold).mean()), threshold


def verify(distance: Floats, pairs: Pairs) -> dict[str, Any]:
    """Area, EER and its threshold, FNMR at FMR 1e-2 and 1e-3, and counts; numbers that cannot be had are None."""
    same, different = distance[pairs.same], distance[~pairs.same]
    told: dict[str, Any] = {"same": len(same), "different": len(different)}
    if not len(same) or not len(different):
        return told
    told |= {"auc": auc(different, same), "eer": eer(different, same), "eer_threshold": eer_threshold(same, different)}
    for point in POINTS:
        fnmr, threshold = fnmr_at(same, different, point)
        low, high = wilson(round(fnmr * len(same)), len(same))
        # With fewer impostors than that no false match is allowed at all.
        told[f"fnmr_at_fmr_{point:g}"] = {
            "fnmr": fnmr,
            "low": low,
            "high": high,
            "threshold": threshold,
            "resolved": len(different) * point >= 1,
        }
    return told


def eer_threshold(same: Floats, different: Floats) -> float:
    """Where the two error rates come closest; neither side may be empty."""
    levels = np.concatenate([[np.inf], np.unique(np.concatenate([different, same]))[::-1]])
    fmr, fnmr = det(same, different)
    return float(levels[int(np.argmin(np.abs(fmr - fnmr)))])


def det(same: Floats, different: Floats) -> tuple[Floats, Floats]:
    """FMR and FNMR at every threshold, from the laxest to the strictest; neither side may be empty."""
    fnmr, fmr = curve(different, same)
    return fmr, fnmr


def eer_interval(
    distance: Floats, pairs: Pairs, subjects: Sequence[str], rounds: int = ROUNDS, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of the EER: people are drawn with replacement, and a pair counts as often as both its people."""
    people = np.unique(np.array(subjects), return_inverse=True)[1]
    first, second = people[pairs.first], people[pairs.second]
    total = int(people.max()) + 1
    random = np.random.default_rng(seed)
    found = []
    for _ in range(rounds):
        drawn = np.bincount(random.integers(0, total, total), minlength=total)
        often = np.where(pairs.same, drawn[first], drawn[first] * drawn[second])
        again = np.repeat(distance, often)
        flags = np.repeat(pairs.same, often)
        if flags.any() and not flags.all():
            found.append(eer(again[~flags], again[flags]))
    if not found:
        return float("nan"), float("nan")
    return float(np.quantile(found, 0.025)), float(np.quantile(found, 0.975))


def wilson(count: int, of: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    z = 1.959964
    share, scale = count / of, 1 + z**2 / of
    middle = (share + z**2 / (2 * of)) / scale
    half = z * float(np.sqrt(share * (1 - share) / of + z**2 / (4 * of**2))) / scale
    return max(middle - half, 0.0), min(middle + half, 1.0)


def rounded(told: Mapping[str, Any]) -> dict[str, Any]:
    """Cut every float to four decimals, for a file that people read; infinities become None."""
    out: dict[str, Any] = {}
    for key, value in told.items():
        if isinstance(value, Mapping):
            out[key] = rounded(value)
        elif isinstance(value, float):
            out[key] = round(value, 4) if np.isfinite(value) else None
        else:
            out[key] = value
    return out
