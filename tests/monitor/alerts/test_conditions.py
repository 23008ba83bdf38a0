from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from monitor.alerts.conditions import MAX_POINTS, Minute
from monitor.decision.decide import Decision
from monitor.decision.report import HopReport
from monitor.types import Verdict
from tests.monitor.alerts.build import KEY, NOON


def hop(statistic: float = 3.0, dropped: int = 0, **quality: float) -> HopReport:
    decision = Decision(Verdict.SUSPECT, None, (), statistic, 7200.0)
    return HopReport(KEY, 0.0, None, decision, dropped, quality)


def test_nothing_before_the_first_hop() -> None:
    assert Minute().describe() == {}


def test_a_minute_of_hops_is_a_point_a_second() -> None:
    minute = Minute()
    for n in range(400):
        minute.note(hop(float(n), dropped=n // 200, fps=20.0 + n % 7), NOON + timedelta(seconds=n / 2))
    told = minute.describe()
    points = told["points"]
    assert 60 <= len(points) <= MAX_POINTS
    assert points[-1] == [0.0, 399.0, "suspect"]
    assert points[0][0] >= -60.0
    assert all(0.9 <= b[0] - a[0] <= 1.1 for a, b in pairwise(points[:-1]))
    assert (told["statistic"], told["threshold"]) == (399.0, 7200.0)
    assert told["ranges"]["dropped"] == [1.0, 1.0]
    low, high = told["ranges"]["fps"]
    assert 20.0 <= low < high <= 26.0
    assert set(told["quality"]) == {"fps", "dropped"}


def test_a_clock_that_is_set_back_begins_anew() -> None:
    minute = Minute()
    minute.note(hop(1.0), NOON)
    minute.note(hop(2.0), NOON - timedelta(hours=1))
    assert minute.describe()["points"] == [[0.0, 2.0, "suspect"]]


def test_a_measure_that_comes_later_has_a_range() -> None:
    minute = Minute()
    minute.note(hop(), NOON)
    minute.note(hop(123_456.0, face_px=90.0), NOON + timedelta(seconds=2))
    told = minute.describe()
    assert told["ranges"]["face_px"] == [90.0, 90.0]
    assert told["statistic"] == 123_500.0


def test_with_what_it_was_judged_is_told_once() -> None:
    minute = Minute({"speech_lips": "ab"})
    minute.note(hop(), NOON)
    assert minute.describe(True)["packs"] == {"speech_lips": "ab"}
    assert "packs" not in minute.describe(False)
