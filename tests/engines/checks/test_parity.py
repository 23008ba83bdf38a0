"""Score drift between two engines, on made-up outcomes: what is compared, and what does not pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.checks.parity import DriftError, Judged, Limits, Outcome, ScoreDrift, score_drift

GENUINE, FORGED = (-0.5, -0.4, -0.6), (0.1, 0.2)
SPREAD = float(np.std(GENUINE + FORGED))


def judged(shift: float = 0.0, p_shift: float = 0.0, verdict: str = "inconclusive") -> list[Judged]:
    """Three genuine and two forged cases; the first is moved."""
    found = []
    for number, score in enumerate(GENUINE + FORGED):
        moved = score + shift if number == 0 else score
        p_value = 0.5 + p_shift if number == 0 else 0.5
        outcome = Outcome(number >= len(GENUINE), moved, p_value)
        found.append(Judged(f"clip {number}", verdict if number == 0 else "inconclusive", {"synchrony": outcome}))
    return found


def drift(other: list[Judged]) -> ScoreDrift:
    return score_drift(judged(), other)


def test_an_engine_agrees_with_itself() -> None:
    found = drift(judged())
    assert found.problems() == []
    (synchrony,) = found.detectors
    assert (found.cases, synchrony.scored, synchrony.forged) == (5, 5, 2)
    assert (synchrony.auc, synchrony.auc_other) == (1.0, 1.0)
    assert (synchrony.shift, synchrony.mean_shift, synchrony.p_change) == (0.0, 0.0, 0.0)


def test_scores_move_by_a_share_of_their_spread() -> None:
    (synchrony,) = drift(judged(shift=0.1 * SPREAD)).detectors
    assert synchrony.shift == pytest.approx(0.1)
    assert synchrony.mean_shift == pytest.approx(0.02)


@given(st.floats(-3, 3))
def test_one_score_or_all_of_them_may_move_so_far_and_no_further(share: float) -> None:
    limits = Limits(shift=1.0, mean_shift=0.1, auc=1.0)
    said = drift(judged(shift=share * SPREAD)).problems(limits)
    assert any("a score moves" in line for line in said) == (abs(share) > 1.0 + 1e-12)
    assert any("on average" in line for line in said) == (abs(share) / 5 > 0.1 + 1e-12)


def test_two_cases_that_change_places_change_the_area() -> None:
    said = drift(judged(shift=0.65)).problems(Limits(shift=9, mean_shift=9))
    assert said == ["synchrony: the AUC moves by 0.167, over 0.02"]


def test_a_p_value_may_move_so_far() -> None:
    assert drift(judged(p_shift=Limits().p_value - 0.001)).problems() == []
    assert drift(judged(p_shift=0.2)).problems() == ["synchrony: a p-value moves by 0.200, over 0.1"]


def test_few_verdicts_may_change() -> None:
    found = drift(judged(verdict="suspect"))
    assert found.problems() == found.turns == ["the verdict on clip 0 turns from inconclusive to suspect"]
    assert found.problems(Limits(flips=0.2)) == []


def test_a_score_that_is_no_number_never_passes() -> None:
    assert any(
        "a score moves by nan" in line
        for line in drift(judged(shift=float("nan"))).problems(Limits(shift=1e9, mean_shift=1e9))
    )


@pytest.mark.parametrize("scored", [True, False])
@pytest.mark.parametrize(("count", "cases"), [(1, "1 case"), (2, "2 cases")])
def test_an_abstention_on_one_side_is_told(count: int, cases: str, scored: bool) -> None:
    other = judged()
    for number, case in enumerate(other[:count]):
        outcome = case.outcomes["synchrony"]
        silent = replace(outcome, score=outcome.score if scored else None, p_value=None)
        other[number] = replace(case, outcomes={"synchrony": silent})
    assert drift(other).problems() == [f"synchrony: one of the two abstains in {cases}"]


def test_where_both_abstain_there_is_nothing_to_compare() -> None:
    silent = [Judged("clip", "inconclusive", {"persona": Outcome(True, None)})]
    (persona,) = score_drift(silent, silent).detectors
    assert (persona.scored, persona.abstentions, persona.shift) == (0, 0, 0.0)
    assert np.isnan(persona.auc)
    assert score_drift(silent, silent).problems() == []


def test_a_detector_need_not_speak_in_every_case() -> None:
    cases = [*judged(), Judged("clip 5", "inconclusive", {"pairwise": Outcome(False, 0.2, 0.3)})]
    found = {row.detector: row.scored for row in score_drift(cases, cases).detectors}
    assert found == {"pairwise": 1, "synchrony": 5}


def test_scores_without_a_spread_are_held_against_a_least_one() -> None:
    one = [Judged("clip", "inconclusive", {"pairwise": Outcome(False, 0.2, 0.3)})]
    other = [Judged("clip", "inconclusive", {"pairwise": Outcome(False, 0.21, 0.3)})]
    (pairwise,) = score_drift(one, other).detectors
    assert pairwise.shift == pytest.approx(0.2)


def test_only_runs_of_the_same_cases_are_compared() -> None:
    for other in (judged()[:-1], judged()[::-1], [replace(case, outcomes={}) for case in judged()]):
        with pytest.raises(DriftError, match="run both anew"):
            drift(other)
