"""How well scores tell forged from genuine: pure measures with bootstrap intervals over subjects.

Scores follow the house's convention: higher is more suspicious, so a forgery should score above a genuine clip; what an
operating point means is said in `monitor.lab.metrics.error_rates`. Clips on which the detector abstained are in no
area and no error
rate: they are counted, by reason, and as non-response rates of forged (APNRR) and genuine clips (BPNRR).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.metrics import auc, eer, tpr_at
from monitor.lab.metrics.error_rates import apcer_at_bpcer, bpcer_at_apcer

Floats = NDArray[np.float64]
ROUNDS = 1000
POINTS = (0.05, 0.10)


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
    by = _grouped([r for r in results if r.score is not None])
    parts = [(_scores(own, "fake"), _scores(own, "real")) for own in by.values()]
    random = np.random.default_rng(seed)
    values = []
    for _ in range(rounds if parts else 0):
        picked = random.integers(0, len(parts), len(parts))
        fake = np.concatenate([parts[i][0] for i in picked])
        real = np.concatenate([parts[i][1] for i in picked])
        if len(fake) and len(real):
            values.append(auc(fake, real))
    if not values:
        return float("nan"), float("nan")
    return float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975))


def summarise(results: Sequence[Result]) -> dict[str, Any]:
    """AUC with interval, error rates, abstentions and counts of one set; numbers that cannot be had are None.

    Keys such as `apcer_at_bpcer_5_percent` name the operating point.
    """
    fake, real = _scores(results, "fake"), _scores(results, "real")
    low, high = bootstrap(results)
    return {
        "auc": _number(auc(fake, real)),
        "auc_low": _number(low),
        "auc_high": _number(high),
        "eer": _number(eer(fake, real)),
        "tpr_at_1_percent": _number(tpr_at(fake, real, 0.01)) if len(fake) and len(real) else None,
        **{f"apcer_at_bpcer_{_percent(p)}": _number(apcer_at_bpcer(fake, real, p)) for p in POINTS},
        **{f"bpcer_at_apcer_{_percent(p)}": _number(bpcer_at_apcer(fake, real, p)) for p in POINTS},
        "fake": len(fake),
        "real": len(real),
        "subjects": len({r.subject for r in results}),
        **_abstentions(results),
    }


def _abstentions(results: Sequence[Result]) -> dict[str, Any]:
    silent = [r for r in results if r.score is None]
    reasons = sorted({r.reason or "" for r in silent})
    return {
        "abstained": len(silent),
        "apnrr": _number(_share([r.score is None for r in results if r.label == "fake"])),
        "bpnrr": _number(_share([r.score is None for r in results if r.label == "real"])),
        "reasons": {reason: sum(r.reason == reason for r in silent) for reason in reasons},
    }


def _share(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags) if flags else float("nan")


def _percent(share: float) -> str:
    return f"{100 * share:g}_percent"


def by_method(results: Sequence[Result]) -> dict[str, dict[str, Any]]:
    """Summarise each method of forgery against all genuine clips."""
    real = [r for r in results if r.label == "real"]
    methods = sorted({r.method for r in results if r.label == "fake"})
    return {m: summarise([*real, *(r for r in results if r.label == "fake" and r.method == m)]) for m in methods}


def worst_method(methods: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of `by_method`, the method that fares worst at each BPCER: `{"apcer_at_bpcer_5_percent": {"method", "apcer"}}`.

    ISO/IEC 30107-3 judges a detector by its worst attack, not by the mean over attacks. `fake` says on how many clips
    that rests; methods of which none was scored are left out.
    """
    worst: dict[str, dict[str, Any]] = {}
    for point in POINTS:
        key = f"apcer_at_bpcer_{_percent(point)}"
        known = [(row[key], name) for name, row in methods.items() if row[key] is not None]
        if known:
            apcer, name = max(known)
            worst[key] = {"method": name, "apcer": apcer, "fake": methods[name]["fake"]}
    return worst


def by_subject(results: Sequence[Result]) -> dict[str, dict[str, Any]]:
    """Each subject's own clips: AUC where both labels have scores, mean scores, counts and abstentions."""
    table = {}
    for subject, own in _grouped(results).items():
        fake, real = _scores(own, "fake"), _scores(own, "real")
        table[subject] = {
            "auc": _number(auc(fake, real)),
            "mean_fake": _number(_mean(fake)),
            "mean_real": _number(_mean(real)),
            "fake": len(fake),
            "real": len(real),
            "abstained": sum(r.score is None for r in own),
        }
    return table


def of_interest(results: Sequence[Result], claimed: Mapping[str, str], rounds: int = ROUNDS) -> dict[str, Any]:
    """Person of interest: the AUC within each claimed person, and its mean over people with the interval of people.

    `claimed` names the person whom a clip claims to show; a result that it does not name is left out. Areas within a
    person say nothing of how different people score, and need no threshold that fits all.
    """
    told = [replace(r, subject=claimed[r.clip]) for r in results if r.clip in claimed]
    people = {name: row for name, row in by_subject(told).items() if row["auc"] is not None}
    areas = np.array([row["auc"] for row in people.values()], np.float64)
    drawn = np.random.default_rng(0).integers(0, max(len(areas), 1), (rounds, len(areas)))
    low, high = np.quantile(areas[drawn].mean(1), [0.025, 0.975]) if len(areas) > 1 else (np.nan, np.nan)
    return {
        "auc": _number(_mean(areas)),
        "auc_low": _number(float(low)),
        "auc_high": _number(float(high)),
        "people": len(areas),
        "by_person": people,
    }


def _grouped(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Results by subject, in the order of their names."""
    groups: dict[str, list[Result]] = {}
    for result in sorted(results, key=lambda r: r.subject):
        groups.setdefault(result.subject, []).append(result)
    return groups


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _scores(results: Sequence[Result], label: str) -> Floats:
    return np.array([r.score for r in results if r.label == label and r.score is not None], np.float64)


def _number(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None
