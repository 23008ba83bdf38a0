"""The measures against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.metrics import auc, curve, eer, tpr_at
from monitor.lab.metrics.error_rates import apcer_at_bpcer, bpcer_at_apcer
from monitor.lab.metrics.summary import (
    Result,
    auc_interval,
    by_method,
    by_subject,
    of_interest,
    summarise,
    worst_method,
)

Floats = NDArray[np.float64]


def floats(*values: float) -> Floats:
    return np.array(values, np.float64)


def result(label: str, subject: str, score: float | None, method: str = "", reason: str | None = None) -> Result:
    return Result(f"{subject}.mp4", label, method or label, subject, score, reason)


@pytest.mark.parametrize(
    ("fake", "real", "area"),
    [
        (floats(2, 3), floats(0, 1), 1.0),
        (floats(0, 1), floats(2, 3), 0.0),
        (floats(1), floats(1), 0.5),
        (floats(1, 3), floats(0, 2), 0.75),
        (floats(1, 2), floats(1, 0), 0.875),
    ],
)
def test_area_under_the_curve(fake: Floats, real: Floats, area: float) -> None:
    assert auc(fake, real) == pytest.approx(area)


@pytest.mark.parametrize(("fake", "real"), [((), (1,)), ((1,), ()), ((), ())])
def test_without_one_side_there_is_no_measure(fake: tuple[float, ...], real: tuple[float, ...]) -> None:
    assert math.isnan(auc(floats(*fake), floats(*real)))
    assert math.isnan(eer(floats(*fake), floats(*real)))


def test_the_curve_runs_from_the_strictest_to_the_laxest_threshold() -> None:
    alarms, misses = curve(floats(1, 3), floats(0, 2))
    assert alarms.tolist() == [0, 0, 0.5, 0.5, 1]
    assert misses.tolist() == [1, 0.5, 0.5, 0, 0]


@pytest.mark.parametrize(
    ("fake", "real", "rate"),
    [
        (floats(2, 3), floats(0, 1), 0.0),
        (floats(1, 3), floats(0, 2), 0.5),
        (floats(0, 5, 6, 7), floats(1, 2, 3, 8), 0.25),
    ],
)
def test_equal_error_rate(fake: Floats, real: Floats, rate: float) -> None:
    assert eer(fake, real) == pytest.approx(rate)


def test_found_at_a_rate_of_false_alarms() -> None:
    fake, real = floats(1, 3, 5, 7), floats(0, 2, 4, 6)
    assert tpr_at(fake, real, 0.0) == 0.25
    assert tpr_at(fake, real, 0.25) == 0.5
    assert tpr_at(fake, real, 0.3) == 0.5
    assert tpr_at(fake, real, 1.0) == 1.0


scores = st.lists(st.floats(-5, 5, width=16), min_size=1, max_size=20)


@given(scores, scores)
def test_measures_stay_in_their_range_and_are_symmetric(fake: list[float], real: list[float]) -> None:
    a, b = floats(*fake), floats(*real)
    assert auc(a, b) == pytest.approx(1 - auc(b, a))
    assert 0 <= eer(a, b) <= 1
    alarms, misses = curve(a, b)
    assert (np.diff(alarms) >= 0).all()
    assert (np.diff(misses) <= 0).all()
    assert (alarms[0], misses[0], alarms[-1], misses[-1]) == (0, 1, 1, 0)


def people(count: int, seed: int = 0) -> list[Result]:
    random = np.random.default_rng(seed)
    found = []
    for n in range(count):
        found += [result("real", f"p{n}", float(random.normal(0))), result("fake", f"p{n}", float(random.normal(1.5)))]
    return found


def test_the_interval_holds_the_area_and_narrows_with_subjects() -> None:
    few, many = people(8), people(80)
    low, high = auc_interval(many, rounds=200)
    whole = summarise(many)["auc"]
    assert 0 < low < whole < high < 1
    wide_low, wide_high = auc_interval(few, rounds=200)
    assert wide_high - wide_low > high - low
    assert auc_interval(many, rounds=200) == (low, high)


def test_clips_of_one_subject_are_drawn_together() -> None:
    # A thousand clips of one person are one draw: the interval cannot tell them apart.
    one = [result("fake", "a", 1.0), result("real", "a", 0.0), *people(3)]
    copies = [result("fake", "a", 1.0)] * 50 + [result("real", "a", 0.0)] * 50 + people(3)
    assert auc_interval(copies, rounds=100)[1] >= auc_interval(one, rounds=100)[0]
    single = auc_interval([result("fake", "a", s) for s in (0.0, 1.0)] + [result("real", "a", 0.5)] * 9, rounds=50)
    assert single == (0.5, 0.5)


@pytest.mark.parametrize("results", [[], [result("real", "a", 1.0)], [result("real", "a", None)]])
def test_what_cannot_be_measured_is_left_open(results: list[Result]) -> None:
    found = summarise(results)
    assert found["auc"] is None
    assert found["auc_low"] is None
    assert found["eer"] is None


def test_a_summary_counts_abstentions_by_reason() -> None:
    results = [*people(4), result("fake", "x", None, reason="silence"), result("real", "y", None, reason="no_face")]
    results.append(result("real", "z", None, reason="silence"))
    found = summarise(results)
    assert (found["fake"], found["real"], found["subjects"], found["abstained"]) == (4, 4, 7, 3)
    assert found["reasons"] == {"no_face": 1, "silence": 2}


def test_each_method_meets_all_genuine_clips() -> None:
    results = [
        *(result("real", f"p{n}", float(n)) for n in range(4)),
        result("fake", "q", 9.0, "good"),
        result("fake", "q", -9.0, "bad"),
        result("fake", "r", 9.0, "bad"),
    ]
    found = by_method(results)
    assert {name: (row["auc"], row["fake"], row["real"]) for name, row in found.items()} == {
        "good": (1.0, 1, 4),
        "bad": (0.5, 2, 4),
    }


@pytest.mark.parametrize(
    ("fake", "real", "point", "apcer", "bpcer"),
    [
        # Apart: nothing is missed and nothing flagged, at any point.
        (floats(2, 3), floats(0, 1), 0.05, 0.0, 0.0),
        # The genuine 4 may be flagged only where a quarter may: then all is found; else 1 and 3 are missed.
        (floats(1, 3, 5, 6), floats(0, 0, 0, 4), 0.05, 0.5, 0.25),
        (floats(1, 3, 5, 6), floats(0, 0, 0, 4), 0.25, 0.0, 0.25),
        # All equal: one threshold flags everybody, the other nobody.
        (floats(1, 1), floats(1, 1), 0.10, 1.0, 1.0),
        # A score on the threshold is flagged: at 2 the forged 2 is found and the genuine 2 is a false alarm.
        (floats(2, 9), floats(1, 2), 0.5, 0.0, 0.0),
    ],
)
def test_error_rates_at_an_operating_point(
    fake: Floats, real: Floats, point: float, apcer: float, bpcer: float
) -> None:
    assert apcer_at_bpcer(fake, real, point) == pytest.approx(apcer)
    assert bpcer_at_apcer(fake, real, point) == pytest.approx(bpcer)


def test_one_in_twenty_is_five_percent() -> None:
    real = np.arange(20, dtype=np.float64)
    assert apcer_at_bpcer(floats(18.5), real, 0.05) == 0.0
    assert apcer_at_bpcer(floats(17.5), real, 0.05) == 1.0
    assert bpcer_at_apcer(real, floats(0.5), 0.05) == 0.0
    assert bpcer_at_apcer(real, floats(1.5), 0.05) == 1.0


@pytest.mark.parametrize(("fake", "real"), [((), (1,)), ((1,), ()), ((), ())])
def test_without_one_side_there_is_no_rate(fake: tuple[float, ...], real: tuple[float, ...]) -> None:
    assert math.isnan(apcer_at_bpcer(floats(*fake), floats(*real), 0.05))
    assert math.isnan(bpcer_at_apcer(floats(*fake), floats(*real), 0.05))


@given(scores, scores, st.sampled_from([0.01, 0.05, 0.1, 0.5]))
def test_rates_fall_as_more_errors_of_the_other_kind_are_allowed(
    fake: list[float], real: list[float], point: float
) -> None:
    a, b = floats(*fake), floats(*real)
    assert 0 <= apcer_at_bpcer(a, b, 2 * point) <= apcer_at_bpcer(a, b, point) <= 1
    assert 0 <= bpcer_at_apcer(a, b, 2 * point) <= bpcer_at_apcer(a, b, point) <= 1


def test_abstentions_are_rates_of_their_own_and_no_errors() -> None:
    results = [
        *(result("real", f"p{n}", float(n)) for n in range(3)),
        result("real", "p9", None, reason="silence"),
        result("fake", "q", 9.0),
        result("fake", "q", None, reason="no_face"),
    ]
    found = summarise(results)
    assert (found["apnrr"], found["bpnrr"]) == (0.5, 0.25)
    assert found["apcer_at_bpcer_5_percent"] == found["bpcer_at_apcer_10_percent"] == 0.0
    assert summarise(results[:1])["apnrr"] is None
    assert summarise(results[:1])["apcer_at_bpcer_5_percent"] is None


def test_a_detector_is_judged_by_its_worst_method() -> None:
    results = [
        *(result("real", f"p{n}", float(n)) for n in range(20)),
        *(result("fake", "q", s, "easy") for s in (30.0, 31.0)),
        *(result("fake", "q", s, "hard") for s in (30.0, 5.0)),
        result("fake", "q", None, "unseen", "no_face"),
    ]
    worst = worst_method(by_method(results))
    assert worst["apcer_at_bpcer_5_percent"] == {"method": "hard", "apcer": 0.5, "fake": 2}
    assert set(worst) == {"apcer_at_bpcer_5_percent", "apcer_at_bpcer_10_percent"}
    assert worst_method({}) == {}


def test_every_subject_has_a_row() -> None:
    results = [
        result("real", "a", 0.0),
        result("real", "a", 2.0),
        result("fake", "a", 1.0),
        result("fake", "b", 3.0),
        result("fake", "b", None, reason="silence"),
    ]
    assert by_subject(results) == {
        "a": {"auc": 0.5, "mean_fake": 1.0, "mean_real": 1.0, "fake": 1, "real": 2, "abstained": 0},
        "b": {"auc": None, "mean_fake": 3.0, "mean_real": None, "fake": 1, "real": 0, "abstained": 1},
    }


def test_persons_of_interest_are_claimed_people() -> None:
    def result(clip: str, label: str, subject: str, score: float | None) -> Result:
        return Result(clip, label, label, subject, score, None)

    found = [
        result("a1", "real", "ann", 0.0),
        result("b1", "real", "bob", 5.0),
        # Bob's clip with Ann's face claims to be Ann: above her, below him.
        result("swap", "fake", "bob", 1.0),
        result("own", "fake", "bob", 4.0),
        result("nobody", "fake", "bob", 9.0),
    ]
    told = of_interest(found, {"a1": "ann", "b1": "bob", "swap": "ann", "own": "bob"})
    assert told["auc"] == 0.5
    assert told["people"] == 2
    assert {name: row["auc"] for name, row in told["by_person"].items()} == {"ann": 1.0, "bob": 0.0}
    assert (told["auc_low"], told["auc_high"]) == (0.0, 1.0)
    alone = of_interest(found, {"a1": "ann", "swap": "ann"})
    assert (alone["auc"], alone["auc_low"], alone["people"]) == (1.0, None, 1)
    assert of_interest([], {})["auc"] is None
