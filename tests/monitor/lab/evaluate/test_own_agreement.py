"""The study of enrolled people's own agreement, on made-up people."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.decision.decide import DecisionConfig
from monitor.detectors.synchrony.own import SESSION_SHARE
from monitor.lab.evaluate.own_agreement import Recorded, measure, recorded, sessions
from tests.monitor.lab.evaluate.test_first_minute import clip

BETWEEN, WITHIN = 0.1, 0.05


def people(count: int, hops: int, share: float = SESSION_SHARE, recordings: int = 1) -> list[Recorded]:
    """People whose levels differ; of the variance, `share` is one of recordings. Wrong voices agree at 0.2."""
    random, found = np.random.default_rng(0), []
    for person in range(count):
        level = random.normal(0.4, BETWEEN * (1 - share) ** 0.5)
        for _ in range(recordings):
            steps = np.cumsum(random.standard_normal(hops + 10))
            noise = WITHIN * (steps[10:] - steps[:-10]) / 10**0.5
            genuine = level + random.normal(0, BETWEEN * share**0.5) + noise
            found.append(Recorded(f"person {person}", -genuine, -0.2 + noise[::-1]))
    return found


def test_both_judges_are_measured_on_the_half_that_enrolled_nobody() -> None:
    measured = measure([*people(25, 160), Recorded("brief", np.full(20, -0.4), np.full(20, -0.2))], DecisionConfig())
    assert (measured["people"], measured["own"]["people"]) == (26, 25)
    assert measured["own"]["windows"]["genuine"] == 25 * 75
    assert measured["own"]["p_at_most"]["genuine"]["0.05"][0] <= 0.05
    assert measured["own"]["auc"][0] > measured["general"]["auc"][0]
    alerts = [measured[judge]["alerts"]["wrong"]["alerted_in_a_minute"] for judge in ("own", "general")]
    assert alerts[0] >= alerts[1] > 0


def test_the_share_of_recordings_is_found() -> None:
    found = sessions(people(80, 100, share=0.5, recordings=3))
    assert found["people"] == 80
    assert found["share"][1] < 0.5 < found["share"][2]
    assert found["within"] == pytest.approx(WITHIN, rel=0.15)
    assert sessions(people(3, 100)) == {"people": 0}
    assert sessions(people(25, 100)) == {"people": 0}


def test_a_clip_is_scored_with_both_voices() -> None:
    one = recorded(clip(1), clip(2))
    assert one.genuine.mean() < -0.9
    assert one.wrong.mean() > -0.7
