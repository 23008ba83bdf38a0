"""How well scores tell forged from genuine: pure measures with bootstrap intervals over subjects.

Scores follow the house's convention: higher is more suspicious, so a forgery should score above a genuine clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.training.measures import auc, eer, tpr_at

Floats = NDArray[np.float64]
ROUNDS = 1000


@dataclass(frozen=True, slots=True)
class Result:
    """One clip's outcome: `score` is None where the detector abstained, with the reason beside it.

    `seconds` is the clip's length, `trimmed` how much of it was dropped before the first speech.
    """

    clip: str
    label: str
    method: str
    subject: str
    score: float | None
    reason: str | None
    p_value: float | None = None
    seconds: float = 0.0
    trimmed: float = 0.0
    detector: str = "synchrony"


def bootstrap(results: Sequence[Result], rounds: int = ROUNDS, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the AUC: subjects are drawn with replacement, all their clips with them."""
    scored = [r for r in results if r.score is not None]
    subjects = sorted({r.subject for r in scored})
    by = {s: [r for r in scored if r.subject == s] for s in subjects}
    parts = [(_scores(by[s], "fake"), _scores(by[s], "real")) for s in subjects]
    random = np.random.default_rng(seed)
    values = []
    for _ in range(rounds if subjects else 0):
        picked = random.integers(0, len(parts), len(parts))
        fake = np.concatenate([parts[i][0] for i in picked])
        real = np.concatenate([parts[i][1] for i in picked])
        if len(fake) and len(real):
            values.append(auc(fake, real))
    if not values:
        return float("nan"), float("nan")
    return float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975))


def summarise(results: Sequence[Result]) -> dict[str, Any]:
    """AUC with interval, EER, abstentions and counts of one set of results; numbers that cannot be had are None."""
    fake, real = _scores(results, "fake"), _scores(results, "real")
    low, high = bootstrap(results)
    silent = [r for r in results if r.score is None]
    return {
        "auc": _number(auc(fake, real)),
        "auc_low": _number(low),
        "auc_high": _number(high),
        "eer": _number(eer(fake, real)),
        "tpr_at_1_percent": _number(tpr_at(fake, real, 0.01)) if len(fake) and len(real) else None,
        "fake": len(fake),
        "real": len(real),
        "subjects": len({r.subject for r in results}),
        "abstained": len(silent),
        "reasons": {
            reason: sum(r.reason == reason for r in silent) for reason in sorted({r.reason or "" for r in silent})
        },
    }


def by_method(results: Sequence[Result]) -> dict[str, dict[str, Any]]:
    """Summarise each method of forgery against all genuine clips."""
    real = [r for r in results if r.label == "real"]
    methods = sorted({r.method for r in results if r.label == "fake"})
    return {m: summarise([*real, *(r for r in results if r.label == "fake" and r.method == m)]) for m in methods}


def _scores(results: Sequence[Result], label: str) -> Floats:
    return np.array([r.score for r in results if r.label == label and r.score is not None], np.float64)


def _number(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None
