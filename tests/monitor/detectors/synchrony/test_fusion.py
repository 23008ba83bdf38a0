"""All that agreement shows is fused to log odds: linear, from the first seconds on, and written as plain numbers."""

from __future__ import annotations

import json
from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.decision.calibration import Calibration, Table
from monitor.detectors.synchrony.detector import SynchronyDetector, movement_of
from monitor.detectors.synchrony.fusion import FULL_PAST_SECONDS, MAX_SPREAD_FRAMES, MEASURES, Fusion, Moment
from monitor.detectors.synchrony.judge import judged
from monitor.detectors.synchrony.own import Standing
from monitor.types import BriefScore, Score
from tests.monitor.detectors.synchrony.test_detector import first, recalled, same, unit, window

WEIGHTS = (-1.0, -2.0, -3.0, -1.0, 0.5, 0.25, -4.0, -2.0, 1.0)
FUSION = Fusion(WEIGHTS, 0.75)
AGREEMENTS = st.floats(-1.0, 1.0)


class Note:
    """Notes the moments that a detector asks about."""

    slope = 2.0

    def __init__(self) -> None:
        self.moments: list[Moment] = []

    def log_odds(self, moment: Moment) -> float:
        """Note it."""
        self.moments.append(moment)
        return 3.5


def moment(past_seconds: float = 16.0, spread: float = 0.5) -> Moment:
    return Moment.of((0.5, 0.4, 0.3), 0.2, 0.7, past_seconds, 0.25, 1.0, spread)


def test_the_past_counts_by_how_much_of_it_there_is() -> None:
    whole, half, none = moment(FULL_PAST_SECONDS), moment(FULL_PAST_SECONDS / 2), moment(0.0)
    assert (whole.length, whole.clearness, whole.established, whole.spread) == (1.0, 0.25, 1.0, 0.5)
    assert (half.length, half.clearness, half.established, half.spread) == (0.5, 0.125, 0.5, 0.25)
    assert (none.length, none.clearness, none.established, none.spread) == (0.0, 0.0, 0.0, 0.0)
    assert moment(99.0) == whole
    assert moment(spread=99.0).spread == MAX_SPREAD_FRAMES
    assert (half.brief, half.window, half.past, half.brief_clearness, half.movement) == (0.5, 0.4, 0.3, 0.2, 0.7)


def test_log_odds_are_the_weighted_sum() -> None:
    assert FUSION.log_odds(moment()) == pytest.approx(0.75 + float(np.dot(WEIGHTS, astuple(moment()))))


@given(AGREEMENTS, AGREEMENTS)
def test_the_slope_is_what_all_agreement_together_changes(agreement: float, less: float) -> None:
    here, there = (replace(moment(), brief=a, window=a, past=a) for a in (agreement, agreement - less))
    assert FUSION.log_odds(there) - FUSION.log_odds(here) == pytest.approx(FUSION.slope * less, abs=1e-9)
    assert FUSION.slope == 6.0


def test_it_is_written_and_read() -> None:
    assert Fusion.from_bytes(FUSION.to_bytes()) == FUSION
    assert list(json.loads(FUSION.to_bytes())["weights"]) == list(MEASURES)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"weights": {"brief": 1.0}},
        {"bias": float("nan")},
        {"weights": dict.fromkeys(MEASURES, float("inf"))},
    ],
)
def test_what_is_no_rule_is_refused(change: dict[str, object]) -> None:
    raw = json.loads(FUSION.to_bytes())
    with pytest.raises(ValueError, match=r"schema|weights"):
        Fusion.from_bytes(json.dumps(raw | change).encode())


def test_a_detector_fuses_what_it_knows_of_the_newest_seconds() -> None:
    note, vectors = Note(), unit(0, 400)
    score = SynchronyDetector(fusion=note).score(recalled(vectors, vectors))
    assert score.brief == BriefScore(3.5, None, 2.0, True, 2.0)
    (found,) = note.moments
    assert (found.brief, found.window, found.past) == pytest.approx((1.0, 1.0, 1.0), abs=1e-5)
    assert (found.length, found.established, found.spread) == (1.0, 1.0, 0.0)
    assert found.clearness > 0.5
    assert found.brief_clearness > 0.3
    assert score.value == pytest.approx(-1.0, abs=1e-5)


def test_without_a_rule_brief_windows_are_scored_by_their_agreement() -> None:
    score = SynchronyDetector().score(same())
    assert score.brief is not None
    assert not score.brief.fused
    assert score.brief.value == pytest.approx(-1.0, abs=1e-5)


def test_too_little_speech_is_not_fused() -> None:
    note = Note()
    silent_end = replace(same(), speech=first(100))
    assert SynchronyDetector(fusion=note).score(silent_end).brief == BriefScore()
    assert note.moments == []


def test_lips_that_stand_still_do_not_move() -> None:
    still = np.repeat(unit(3, 1), 125, axis=0)
    assert movement_of(window(still, unit(4))) == pytest.approx(0.0, abs=1e-5)
    assert movement_of(window(unit(5), unit(4))) > 0.9
    assert movement_of(replace(same(), speech=first(0))) == 0.0


def test_of_a_fused_score_only_a_persons_deviation_is_taken_out() -> None:
    table = Table(1.2, np.linspace(-6.0, 6.0, 60), np.repeat(np.arange(30), 2), 0.2)
    both = Calibration((replace(table, seconds=4.0),), Calibration((table,)))
    standing = Standing(-0.5, 0.4, 1.0, 12, "as recorded")
    score = Score("synchrony", 1.0, brief=BriefScore(4.0, None, 2.0, True, 6.0))
    found = judged(score, 4.0, both, standing).brief
    assert found is not None
    assert found.p_value == table.p_values(np.asarray(1.0))
    assert found.p_value > (both.apply(score, 4.0).brief or found).p_value  # type: ignore[operator]
