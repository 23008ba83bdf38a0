import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.decision.calibration import Calibration, CalibrationError, exceedance, tail_mean
from monitor.types import BriefScore, Reason, Score

SCORE = st.floats(-1, 1, allow_nan=False)
PEOPLE = st.lists(st.lists(SCORE, min_size=1, max_size=6), min_size=5, max_size=25)


def of(people: list[list[float]], seconds: float = 5.0) -> Calibration:
    scores = [s for own in people for s in own]
    return Calibration.build({seconds: (scores, [f"p{i:02}" for i, own in enumerate(people) for _ in own])})


@pytest.fixture
def ten() -> Calibration:
    return of([[i / 10, i / 10 + 0.05] for i in range(10)])


@given(PEOPLE, st.lists(SCORE, min_size=2, max_size=8), st.booleans())
def test_p_values_lie_in_range_fall_with_the_score_and_stop_at_one_over_subjects(
    people: list[list[float]], values: list[float], once: bool
) -> None:
    calibration = of(people)
    p = [calibration.p_value(v, 5.0, once) for v in sorted(values)]
    assert all(1 / (len(people) + 1) <= x <= 1 for x in p)
    assert p == sorted(p, reverse=True)


@given(PEOPLE, SCORE)
def test_a_sequential_p_value_is_never_below_the_single_one(people: list[list[float]], value: float) -> None:
    calibration = of(people)
    assert calibration.p_value(value, 5.0) >= calibration.p_value(value, 5.0, once=True)


@given(PEOPLE, st.integers(2, 5))
def test_a_subject_weighs_the_same_however_many_windows_they_gave(people: list[list[float]], times: int) -> None:
    more = [people[0] * times, *people[1:]]
    for value in people[0]:
        assert of(more).p_value(value, 5.0) == pytest.approx(of(people).p_value(value, 5.0))


@given(PEOPLE)
def test_single_p_values_are_valid_for_a_subject_drawn_from_the_same_people(people: list[list[float]]) -> None:
    p, subjects = of(people).leave_one_out(5.0, once=True)
    for alpha in (0.049, 0.099, 0.19, 0.51):
        rate = np.mean([np.mean(p[subjects == s] <= alpha) for s in range(len(people))])
        assert rate <= alpha


def test_the_single_p_value_is_conformal_over_subjects(ten: Calibration) -> None:
    assert ten.p_value(2.0, 5.0, once=True) == pytest.approx(1 / 11)
    assert ten.p_value(0.95, 5.0, once=True) == pytest.approx(1.5 / 11)
    assert ten.p_value(-1.0, 5.0) == 1.0


def test_ties_count_against_us(ten: Calibration) -> None:
    assert ten.p_value(0.9, 5.0, once=True) == pytest.approx(2 / 11)
    assert ten.p_value(np.nextafter(0.9, 1), 5.0, once=True) == pytest.approx(1.5 / 11)


def test_one_unusual_person_does_not_give_evidence_against_their_like() -> None:
    people = [[0.0, 0.01, 0.02]] * 19 + [[0.5, 0.6, 0.7]]
    calibration = of(people)
    assert calibration.p_value(0.5, 5.0, once=True) == pytest.approx(2 / 21)
    assert calibration.p_value(0.5, 5.0) == pytest.approx(0.5)
    assert calibration.p_value(0.8, 5.0) == pytest.approx(1 / 21)


@given(PEOPLE, st.integers(0, 2**32 - 1))
def test_sequential_p_values_hold_for_every_group_of_a_tenth_of_the_people(
    people: list[list[float]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    subjects = np.repeat(np.arange(len(people)), [len(own) for own in people])
    levels, above = exceedance(np.concatenate([np.asarray(own) for own in people]), subjects)
    group = rng.permutation(len(people))[: max(1, -(-len(people) // 10))]
    p = of(people).table(5.0).p_values(levels)
    assert (above[:-1, group].mean(axis=1) <= p + 1e-12).all()


def test_tail_mean_takes_part_of_a_person() -> None:
    above = np.array([[1.0, 0.5, 0.25] + [0.0] * 12])
    assert tail_mean(above, 0.1) == pytest.approx((1.0 + 0.5 * 0.5) / 1.5)
    assert tail_mean(above, 0.01) == pytest.approx(1.0)


def test_the_longest_table_that_the_speech_fills_is_used() -> None:
    rng = np.random.default_rng(0)
    labels = [str(i % 6) for i in range(60)]
    calibration = Calibration.build({5: (rng.normal(0, 1, 60), labels), 2: (rng.normal(5, 1, 60), labels)})
    assert calibration.lengths == (2.0, 5.0)
    assert calibration.table(4.99).seconds == 2.0
    assert calibration.table(5.0).seconds == calibration.table(5.0 - 1e-9).seconds == 5.0
    assert calibration.table(60.0).seconds == 5.0
    assert calibration.p_value(3.0, 3.0) > calibration.p_value(3.0, 10.0)
    with pytest.raises(CalibrationError, match="give at least 2 s"):
        calibration.p_value(0.0, 1.9)


def test_leave_one_out_never_uses_the_subject_itself() -> None:
    people = [[0.0, 0.1]] * 9 + [[0.5, 0.6, 0.7]]
    p, subjects = of(people).leave_one_out(5.0)
    assert subjects.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 9]
    assert p[-3:] == pytest.approx([0.1] * 3)
    assert (p[:-3] > 0.5).all()


def test_apply_fills_in_p_values_and_keeps_abstentions(ten: Calibration) -> None:
    score = Score("synchrony", 2.0, one_sided=True)
    assert ten.apply(score, 5.0).p_value == pytest.approx(1 / 11)
    assert ten.apply(score, 7.0, once=True).p_value == pytest.approx(1 / 11)
    silent = Score("synchrony", None, Reason.SILENCE)
    assert ten.apply(silent, 0.0) is silent
    short = ten.apply(score, 3.0)
    assert (short.value, short.p_value, short.reason) == (None, None, Reason.LOW_QUALITY)


def test_without_any_table_a_score_stays_and_has_no_p_value() -> None:
    score = Score("synchrony", 0.4, one_sided=True)
    applied = Calibration(()).apply(score, 5.0)
    assert (applied.value, applied.p_value, applied.reason) == (0.4, None, Reason.NOT_CALIBRATED)


def test_json_round_trip_keeps_p_values_and_no_names(ten: Calibration) -> None:
    text = json.dumps(ten.to_json())
    assert "p0" not in text
    again = Calibration.from_json(json.loads(text))
    assert again.to_json() == ten.to_json()
    assert again.p_value(0.42, 5.0) == ten.p_value(0.42, 5.0)


@given(st.integers(5, 120))
def test_json_round_trip_keeps_subjects_apart(people: int) -> None:
    calibration = of([[float(i)] for i in range(people)])
    assert Calibration.from_json(calibration.to_json()).p_value(people + 1, 5.0) == pytest.approx(1 / (people + 1))


def test_brief_windows_have_tables_and_a_share_of_their_own(ten: Calibration) -> None:
    scores = {1.2: (np.arange(40.0), [str(n % 10) for n in range(40)])}
    brief = Calibration.build(scores, share=0.25)
    both = Calibration(ten.tables, brief)
    again = Calibration.from_json(json.loads(json.dumps(both.to_json())))
    assert again.brief is not None
    assert again.to_json() == both.to_json()
    assert again.brief.tables[0].share == 0.25
    assert again.tables[0].share == 0.1
    assert again.brief.tables[0].without(3).share == 0.25
    narrow, wide = Calibration.build(scores).tables[0].sequential, again.brief.tables[0].sequential
    assert (wide <= narrow).all()
    assert (wide < narrow).any()
    assert Calibration(()).to_json() == {"schema": 1, "tables": []}


def test_a_brief_score_gets_its_p_value_where_its_speech_fills_a_table(ten: Calibration) -> None:
    brief = Calibration.build({1.2: (np.arange(40.0), [str(n % 10) for n in range(40)])})
    both, score = Calibration(ten.tables, brief), Score("synchrony", 0.42, brief=BriefScore(20.0, seconds=1.4))
    applied = both.apply(score, 5.0)
    assert applied.brief == BriefScore(20.0, brief.p_value(20.0, 1.4), 1.4)
    assert applied.p_value == ten.p_value(0.42, 5.0)
    for too_little in (BriefScore(20.0, seconds=1.1), BriefScore()):
        assert both.apply(replace(score, brief=too_little), 5.0).brief == BriefScore()
    assert ten.apply(score, 5.0).brief is None
    assert both.apply(replace(score, brief=None), 5.0).brief is None


@pytest.mark.parametrize("share", [0.0, 1.5, float("nan")])
def test_a_share_that_is_none_is_refused(ten: Calibration, share: float) -> None:
    with pytest.raises(CalibrationError, match="share of people"):
        Calibration.from_json(ten.to_json() | {"share": share})


FIVE = list("abcde")


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({}, "at least one window length"),
        ({-1.0: ([0.0] * 5, FIVE)}, "positive length"),
        ({float("nan"): ([0.0] * 5, FIVE)}, "positive length"),
        ({5.0: (["x"] * 5, FIVE)}, "must be numbers"),
        ({5.0: ([0.0] * 4, FIVE)}, "one subject for each score"),
        ({5.0: ([[0.0] * 5], ["a"])}, "one subject for each score"),
        ({5.0: ([0.0] * 4 + [float("nan")], FIVE)}, "finite"),
        ({5.0: ([0.0] * 5, ["a"] * 5)}, "too few"),
        ({5.0: ([], [])}, "too few"),
    ],
)
def test_bad_scores_are_refused_in_one_line(given_: Any, words: str) -> None:
    with pytest.raises(CalibrationError, match=words) as caught:
        Calibration.build(given_)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        {},
        {"schema": 2, "tables": []},
        {"schema": 1},
        {"schema": 1, "tables": [{"seconds": 5}]},
        {"schema": 1, "tables": [{"seconds": "x", "scores": [], "subjects": []}]},
        {"schema": 1, "tables": 3},
        {"schema": 1, "tables": []},
    ],
)
def test_bad_json_is_refused(raw: object) -> None:
    with pytest.raises(CalibrationError):
        Calibration.from_json(raw)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_score_that_is_no_number_is_refused(ten: Calibration, value: float) -> None:
    with pytest.raises(CalibrationError, match="finite"):
        ten.p_value(value, 5.0)
