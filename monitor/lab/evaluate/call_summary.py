"""How calls went, in numbers that an operator asks for: false alerts per hour, time to alert, and time without a word.

The interval of the false alerts is exact for independent events (Garwood 1936). The false alerts of one person are not
independent, and calls strung from few clips repeat their evidence: read it beside the number of people who were
alerted. Times to alert count calls that ended without one as never, so a percentile may not exist.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from monitor.decision.edetector import SECONDS_PER_HOUR
from monitor.lab.evaluate.call_replay import CallOutcome
from monitor.lab.metrics.intervals import poisson_interval
from monitor.session.session import SessionConfig


def summarise_calls(outcomes: Sequence[CallOutcome], config: SessionConfig | None = None) -> dict[str, Any]:
    """Sum up false alerts per hour, times to alert and abstention, by label and by method; JSON values."""
    config = config or SessionConfig()
    genuine = [o for o in outcomes if o.label == "real" and o.seconds]
    forged = [o for o in outcomes if o.label == "fake" and o.seconds]
    methods = sorted({o.method for o in forged})
    return {
        "settings": {
            "minutes": round(max((o.seconds for o in outcomes), default=0.0) / 60, 2),
            "false_alerts_per_hour": config.decision.false_alerts_per_hour,
            "window_seconds": config.window_seconds,
            "hop_seconds": config.hop_seconds,
        },
        "unreadable": sum(o.seconds == 0 for o in outcomes),
        "genuine": {**_common(genuine), **_false_alerts(genuine)},
        "forged": {**_common(forged), **_delays(forged)},
        "methods": {m: _described([o for o in forged if o.method == m]) for m in methods},
    }


def percentile(times: Sequence[float | None], share: float) -> float | None:
    """Return the time by which a share of the calls had alerted, None where fewer ever did."""
    ordered_times = sorted(math.inf if seconds is None else seconds for seconds in times)
    seconds = ordered_times[max(math.ceil(share * len(ordered_times)) - 1, 0)] if ordered_times else math.inf
    return seconds if math.isfinite(seconds) else None


def _described(calls: Sequence[CallOutcome]) -> dict[str, Any]:
    return {**_common(calls), **_delays(calls)}


def _common(calls: Sequence[CallOutcome]) -> dict[str, Any]:
    hops, abstained = sum(o.judged + o.abstained for o in calls), sum(o.abstained for o in calls)
    reasons: Counter[str] = Counter()
    for outcome in calls:
        reasons.update(outcome.reasons)
    return {
        "calls": len(calls),
        "subjects": len({o.subject for o in calls}),
        "hours": round(sum(o.seconds for o in calls) / SECONDS_PER_HOUR, 4),
        "distinct_hours": round(sum(o.distinct for o in calls) / SECONDS_PER_HOUR, 4),
        "abstained_share": round(abstained / hops, 4) if hops else None,
        "reasons": {reason: round(count / hops, 4) for reason, count in reasons.most_common()},
    }


def _false_alerts(calls: Sequence[CallOutcome]) -> dict[str, Any]:
    count = sum(len(o.opened) for o in calls)
    hours = sum(o.seconds for o in calls) / SECONDS_PER_HOUR
    low, high = poisson_interval(count, hours)
    alerted_subjects = {o.subject for o in calls if o.opened}
    return {
        "false_alerts": count,
        "false_alerts_per_hour": round(count / hours, 4) if hours else None,
        "low": round(low, 4),
        "high": round(high, 4) if math.isfinite(high) else None,
        "subjects_alerted": len(alerted_subjects),
        "times": [o.first_alert for o in calls if o.opened],
    }


def _delays(calls: Sequence[CallOutcome]) -> dict[str, Any]:
    times = [o.first_alert for o in calls]
    alert_times = [seconds for seconds in times if seconds is not None]
    return {
        "alerted": len(alert_times),
        "alerted_share": round(len(alert_times) / len(times), 4) if times else None,
        "time_to_alert_p50": percentile(times, 0.5),
        "time_to_alert_p95": percentile(times, 0.95),
        "time_to_alert_p50_of_alerted": percentile(alert_times, 0.5),
        "time_to_alert_p95_of_alerted": percentile(alert_times, 0.95),
        "times": sorted(alert_times),
    }
