"""How well scores separate forged from genuine clips, with bootstrap intervals over subjects. Pure.

Scores follow the convention of the detectors: higher is more suspicious, so a forgery should score above a genuine
clip; what an operating point means is said in `monitor.lab.metrics.error_rates`. Clips on which the detector abstained
are in no AUC and no error rate: they are counted, by reason, and as non-response rates of forged (APNRR) and genuine
clips (BPNRR).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.metrics import auc, eer, tpr_at
from monitor.lab.metrics.error_rates import apcer_at_bpcer, bpcer_at_apcer
from monitor.lab.metrics.intervals import bootstrap_interval, mean_interval, resample
from monitor.lab.metrics.numbers import rounded

Floats = NDArray[np.float64]
BOOTSTRAP_ROUNDS = 1000
# False alarms, or misses, at which the other error rate is read off.
OPERATING_POINTS = (0.05, 0.10)


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


def auc_interval(results: Sequence[Result], rounds: int = BOOTSTRAP_ROUNDS, seed: int = 0) -> tuple[float, float]:
    """Compute the 95 % interval of the AUC: subjects are drawn with replacement, all their clips with them."""
    subjects = _by_subject([r for r in results if r.score is not None]).values()
    scores = [(_scores(clips, "fake"), _scores(clips, "real")) for clips in subjects]
    aucs = []
    for drawn in resample(len(scores), rounds, seed):
        fake = np.concatenate([scores[subject][0] for subject in drawn])
        real = np.concatenate([scores[subject][1] for subject in drawn])
        if len(fake) and len(real):
            aucs.append(auc(fake, real))
    return bootstrap_interval(aucs)


def summarise(results: Sequence[Result]) -> dict[str, Any]:
    """Compute AUC with interval, error rates, abstentions and counts of one set; numbers that cannot be had are None.

    Keys such as `apcer_at_bpcer_5_percent` name the operating point.
    """
    fake, real = _scores(results, "fake"), _scores(results, "real")
    low, high = auc_interval(results)
    return {
        "auc": rounded(auc(fake, real)),
        "auc_low": rounded(low),
        "auc_high": rounded(high),
        "eer": rounded(eer(fake, real)),
        "tpr_at_1_percent": rounded(tpr_at(fake, real, 0.01)) if len(fake) and len(real) else None,
        **{f"apcer_at_bpcer_{_percent(p)}": rounded(apcer_at_bpcer(fake, real, p)) for p in OPERATING_POINTS},
        **{f"bpcer_at_apcer_{_percent(p)}": rounded(bpcer_at_apcer(fake, real, p)) for p in OPERATING_POINTS},
        "fake": len(fake),
        "real": len(real),
        "subjects": len({r.subject for r in results}),
        **_abstentions(results),
    }


def _abstentions(results: Sequence[Result]) -> dict[str, Any]:
    abstained = [r for r in results if r.score is None]
    reasons = sorted({r.reason or "" for r in abstained})
    return {
        "abstained": len(abstained),
        "apnrr": rounded(_share([r.score is None for r in results if r.label == "fake"])),
        "bpnrr": rounded(_share([r.score is None for r in results if r.label == "real"])),
        "reasons": {reason: sum(r.reason == reason for r in abstained) for reason in reasons},
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
    """Find the method that is missed most at each BPCER: `{"apcer_at_bpcer_5_percent": {"method", "apcer"}}`.

    ISO/IEC 30107-3 judges a detector by its worst attack, not by the mean over attacks. `fake` says on how many clips
    that rests; methods of which none was scored are left out.
    """
    worst: dict[str, dict[str, Any]] = {}
    for point in OPERATING_POINTS:
        key = f"apcer_at_bpcer_{_percent(point)}"
        rates = [(row[key], name) for name, row in methods.items() if row[key] is not None]
        if rates:
            apcer, name = max(rates)
            worst[key] = {"method": name, "apcer": apcer, "fake": methods[name]["fake"]}
    return worst


def by_subject(results: Sequence[Result]) -> dict[str, dict[str, Any]]:
    """Describe the clips of each subject: AUC where both labels have scores, mean scores, counts and abstentions."""
    table = {}
    for subject, clips in _by_subject(results).items():
        fake, real = _scores(clips, "fake"), _scores(clips, "real")
        table[subject] = {
            "auc": rounded(auc(fake, real)),
            "mean_fake": rounded(_mean(fake)),
            "mean_real": rounded(_mean(real)),
            "fake": len(fake),
            "real": len(real),
            "abstained": sum(r.score is None for r in clips),
        }
    return table


def of_interest(
    results: Sequence[Result], claimed: Mapping[str, str], rounds: int = BOOTSTRAP_ROUNDS
) -> dict[str, Any]:
    """Person of interest: the AUC within each claimed person, and its mean over people with the interval of people.

    `claimed` names the person whom a clip claims to show; a result that it does not name is left out. Areas within a
    person say nothing of how different people score, and need no threshold that fits all.
    """
    by_claim = [replace(r, subject=claimed[r.clip]) for r in results if r.clip in claimed]
    people = {name: row for name, row in by_subject(by_claim).items() if row["auc"] is not None}
    aucs = np.array([row["auc"] for row in people.values()], np.float64)
    low, high = mean_interval(aucs, rounds)
    return {
        "auc": rounded(_mean(aucs)),
        "auc_low": rounded(low),
        "auc_high": rounded(high),
        "people": len(aucs),
        "by_person": people,
    }


def _by_subject(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Results by subject, in the order of their names."""
    groups: dict[str, list[Result]] = {}
    for result in sorted(results, key=lambda r: r.subject):
        groups.setdefault(result.subject, []).append(result)
    return groups


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _scores(results: Sequence[Result], label: str) -> Floats:
    return np.array([r.score for r in results if r.label == label and r.score is not None], np.float64)
