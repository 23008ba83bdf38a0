"""A voice that lags its face as nobody else's on the same path does: measured, compared, told with its time, no bet."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.decision.decide import Decision, Transition
from monitor.decision.lag import (
    HOLD_SECONDS,
    MIN_SEGMENTS,
    RECENT_SECONDS,
    Lag,
    Lags,
    follow,
    lag_of,
    measured,
    shown,
    stands_out,
    words,
)
from monitor.types import Aspect, Score, Verdict

NEAR, FAR = Lag(0.02, 0.02), Lag(0.24, 0.02)


def score(path_ms: list[int], aspect: Aspect = Aspect.LIPS, value: float | None = -0.4, **more: Any) -> Score:
    return Score("synchrony", value, aspect=aspect, evidence={"accumulated": {"path_ms": path_ms}, **more})


def test_a_steady_lag_is_the_mean_of_the_segments_about_their_median() -> None:
    lag = lag_of([0.16, 0.2] * 8)
    assert lag is not None
    assert lag.seconds == pytest.approx(0.18)
    # Twenty ms of spread over four independent segments.
    assert lag.margin == pytest.approx(1.96 * 0.02 / 2)
    assert lag.low == pytest.approx(0.1604)
    assert lag.high == pytest.approx(0.1996)


def test_rounding_and_the_clocks_are_in_the_margin_and_an_outlier_is_not_in_the_mean() -> None:
    lag = lag_of([0.04] * 15 + [0.6], uncertainty=0.01)
    assert lag is not None
    assert lag.seconds == pytest.approx(0.04)
    assert lag.margin == pytest.approx(1.96 * 0.04 / 12**0.5 / (15 / 4) ** 0.5 + 0.01)


def test_too_few_segments_and_an_offset_that_wanders_give_no_lag() -> None:
    assert lag_of([0.04] * (MIN_SEGMENTS - 1)) is None
    assert lag_of([0.04] * MIN_SEGMENTS) is not None
    assert lag_of([n * 0.04 for n in range(20)]) is None


def test_it_is_read_of_who_looks_at_lips_and_only_where_the_clocks_are_known() -> None:
    path = [160] * 20
    other, lips = score([0] * 20, Aspect.FACE), score(path)
    found = measured([other, lips], 0.0, is_mapped=True)
    assert found is not None
    assert found.seconds == pytest.approx(0.16)
    assert measured([lips], 0.0, is_mapped=False) is None
    assert measured([other], 0.0, is_mapped=True) is None
    assert measured([score(path, value=None)], 0.0, is_mapped=True) is None
    assert measured([score(path, paired_by="arrival")], 0.0, is_mapped=True) is None
    assert measured([Score("synchrony", -0.4, aspect=Aspect.LIPS)], 0.0, is_mapped=True) is None


def test_one_stands_out_of_all_others_and_of_enough_of_them() -> None:
    assert stands_out(FAR, [NEAR, NEAR])
    assert not stands_out(FAR, [NEAR])
    assert not stands_out(FAR, [NEAR, Lag(0.09, 0.02)])
    assert stands_out(FAR, [NEAR, Lag(0.09, 0.02)], 0.1)
    assert not stands_out(NEAR, [FAR, FAR])


def path_of(seconds: float, own: Lag | None = FAR, others: tuple[Lag, ...] = (NEAR, Lag(0.04, 0.02))) -> Lags:
    """What is known after so many seconds of hops of somebody beside others."""
    lags = Lags()
    for hop in range(round(2 * seconds) + 1):
        for n, lag in enumerate(others):
            lags = follow(lags, f"other {n}", hop / 2, lag)
        lags = follow(lags, "ada", hop / 2, own)
    return lags


def test_it_is_told_once_it_has_lasted_with_the_second_of_its_beginning() -> None:
    assert path_of(HOLD_SECONDS - 0.5).told("ada") is None
    told = path_of(30.0).told("ada")
    assert told is not None
    assert told.as_json() == {"at": 0.0, "ms": 240, "margin_ms": 20, "others_ms": [20, 40], "others": 2}
    assert path_of(30.0).told("other 0") is None
    assert path_of(30.0).told("nobody") is None
    assert path_of(30.0, others=(NEAR,)).told("ada") is None
    assert path_of(30.0, own=None).told("ada") is None


def test_what_was_told_stays_and_a_new_lag_has_its_own_time() -> None:
    lags = path_of(20.0)
    for hop in range(1, 41):
        lags = follow(lags, "ada", 20.0 + hop / 2, NEAR)
    told = lags.told("ada")
    assert told is not None
    assert told.at == 0.0
    for hop in range(1, 41):
        lags = follow(lags, "ada", 40.0 + hop / 2, Lag(0.3, 0.01))
    told = lags.told("ada")
    assert told is not None
    assert (told.at, told.lag.seconds) == (40.5, 0.3)


def test_what_was_measured_long_ago_and_of_whom_left_is_compared_no_more() -> None:
    lags = path_of(1.0, own=None)
    later = RECENT_SECONDS + 5.0
    for hop in range(60):
        lags = follow(lags, "ada", later + hop / 2, FAR)
    assert lags.told("ada") is None
    lags = path_of(1.0, own=None).without("other 0")
    assert set(lags.people) == {"ada", "other 1"}
    for hop in range(60):
        lags = follow(lags, "ada", 1.0 + hop / 2, FAR)
    assert lags.told("ada") is None


def decision(transition: Transition | None = None) -> Decision:
    scores = (score([160] * 20), Score("pairwise", 1.0, aspect=Aspect.FACE))
    evidence = {"pairwise": {"distance": 0.2}} if transition else {}
    return Decision(Verdict.ALERT, None, scores, 9000.0, 7200.0, transition, evidence=evidence)


def test_it_stands_in_the_evidence_of_the_lips_and_of_what_a_finding_keeps() -> None:
    told = path_of(30.0).told("ada")
    assert told is not None
    live = shown(decision(), told)
    assert live.scores[0].evidence["lag"] == told.as_json()
    assert "lag" not in live.scores[1].evidence
    assert live.evidence == {}
    found = shown(decision(Transition.OPENED), told)
    assert found.evidence == {"pairwise": {"distance": 0.2}, "synchrony": {"lag": told.as_json()}}
    assert (found.statistic, found.verdict) == (9000.0, Verdict.ALERT)
    assert shown(decision(), None) == decision()


def test_in_words() -> None:
    told = {"ms": 180, "others_ms": [10, 40]}
    assert words(told) == "The voice lags its face by 180 ms, the others' by 10 to 40."
    assert words({"ms": 180, "others_ms": [20, 20]}) == "The voice lags its face by 180 ms, the others' by 20."
