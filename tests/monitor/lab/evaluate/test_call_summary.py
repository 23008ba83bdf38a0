"""Rates, delays and abstention of calls, and the intervals of rare events."""

from __future__ import annotations

import json

import pytest

from monitor.lab.evaluate.call_replay import CallOutcome
from monitor.lab.evaluate.call_summary import percentile, summarise_calls


def outcome(label: str, subject: str, *opened: float, seconds: float = 360.0, method: str = "x") -> CallOutcome:
    return CallOutcome(f"{method}/{subject}", label, method, subject, seconds, 60.0, 30, 10, opened, {"silence": 10})


def test_calls_are_summed_up() -> None:
    calls = [outcome("real", "ann", 30.0, 200.0), *(outcome("real", f"r{n}") for n in range(9))]
    calls += [outcome("fake", f"f{n}", 10.0 * n + 10, 300.0) for n in range(9)] + [outcome("fake", "f9", method="y")]
    told = summarise_calls(calls)
    assert json.loads(json.dumps(told)) == told
    genuine, forged = told["genuine"], told["forged"]
    assert (genuine["calls"], genuine["hours"], genuine["distinct_hours"]) == (10, 1.0, 0.1667)
    assert (genuine["false_alerts"], genuine["false_alerts_per_hour"], genuine["subjects_alerted"]) == (2, 2.0, 1)
    assert (genuine["low"], genuine["high"]) == (0.2422, 7.2247)
    assert (genuine["abstained_share"], genuine["reasons"]) == (0.25, {"silence": 0.25})
    assert (forged["alerted"], forged["alerted_share"]) == (9, 0.9)
    assert (forged["time_to_alert_p50"], forged["time_to_alert_p95"]) == (50.0, None)
    assert (forged["time_to_alert_p50_of_alerted"], forged["time_to_alert_p95_of_alerted"]) == (50.0, 90.0)
    assert told["methods"]["y"]["alerted_share"] == 0.0
    assert told["methods"]["x"]["time_to_alert_p95"] == 90.0
    assert told["settings"]["false_alerts_per_hour"] == 0.1


def test_nothing_is_summed_up_as_nothing() -> None:
    told = summarise_calls([])
    assert told["genuine"]["false_alerts_per_hour"] is None
    assert told["genuine"]["high"] is None
    assert told["forged"]["alerted_share"] is None
    assert told["forged"]["abstained_share"] is None
    assert json.loads(json.dumps(told)) == told


@pytest.mark.parametrize(
    ("times", "share", "at"),
    [
        ([], 0.5, None),
        ([3.0], 0.5, 3.0),
        ([None, 1.0], 0.5, 1.0),
        ([None, 1.0], 0.51, None),
        ([4.0, 2.0, 1.0, 3.0], 0.95, 4.0),
    ],
)
def test_percentiles_count_the_calls_that_never_alerted(
    times: list[float | None], share: float, at: float | None
) -> None:
    assert percentile(times, share) == at
