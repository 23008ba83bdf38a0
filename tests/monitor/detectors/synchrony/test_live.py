"""Lips and voice hop by hop: nothing is counted twice, obstacles are reasons, and a clip is one score of its hops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.decision.calibration import Calibration, Table
from monitor.detectors.base import Hop
from monitor.detectors.synchrony.clip import clip_value
from monitor.detectors.synchrony.live import LiveSynchrony, LoadedSynchrony
from monitor.session.warm_later import Later
from monitor.types import Reason
from monitor.window.window import WindowBuffer
from tests.monitor.detectors.synchrony.test_detector import same, unit, window


def table(seconds: float) -> Table:
    """Forty genuine people, five scores each, far below those of strangers' voices."""
    scores = np.random.default_rng(2).normal(-0.8, 0.1, 200)
    return Table(seconds, scores, np.repeat(np.arange(40), 5))


@pytest.fixture
def loaded() -> LoadedSynchrony:
    return LoadedSynchrony(Calibration((table(2.0), table(5.0))))


@pytest.fixture
def live(loaded: LoadedSynchrony) -> LiveSynchrony:
    made = loaded.live(5.0, Later())
    made.restart(WindowBuffer())
    return made


def test_a_window_is_scored_and_calibrated(live: LiveSynchrony) -> None:
    score = live.score(Hop(same()))
    assert score.value == pytest.approx(-1.0, abs=1e-5)
    assert score.p_value is not None
    assert live.observe is None


def test_a_window_that_has_not_moved_is_not_scored_again(live: LiveSynchrony) -> None:
    assert live.score(Hop(same())).value is not None
    assert live.score(Hop(same())).reason is Reason.WARMING_UP
    assert live.score(Hop(replace(same(), end=9.5))).value is not None
    live.restart(WindowBuffer())
    assert live.score(Hop(same())).value is not None


def test_an_obstacle_is_the_reason_and_what_it_hid_counts_afterwards(live: LiveSynchrony) -> None:
    assert live.score(Hop(same(), obstacle=Reason.NO_FACE)).reason is Reason.NO_FACE
    assert live.score(Hop(same())).value is not None


def test_silence_stays_silence_however_often_it_is_asked(live: LiveSynchrony) -> None:
    silent = replace(same(), speech=np.zeros(125, np.bool_))
    assert [live.score(Hop(silent)).reason for _ in range(2)] == [Reason.SILENCE] * 2


def test_a_clip_is_the_mean_of_its_hops_and_says_over_how_many(loaded: LoadedSynchrony, live: LiveSynchrony) -> None:
    hops = [replace(window(unit(n), unit(n + 50)), end=9.0 + n) for n in range(3)]
    scores = [live.score(Hop(hop)) for hop in hops]
    score = loaded.of_clip(scores, 0.1)
    assert score.value == pytest.approx(np.mean([s.value for s in scores if s.value is not None]), abs=1e-4)
    assert score.evidence["windows"] == 3
    assert score.p_value is not None


def test_a_clip_without_a_score_has_the_reason_of_its_hops(loaded: LoadedSynchrony, live: LiveSynchrony) -> None:
    hops = [live.score(Hop(same(), obstacle=Reason.NO_FACE)) for _ in range(3)]
    score = loaded.of_clip(hops, 0.1)
    assert (score.value, score.reason, score.one_sided) == (None, Reason.NO_FACE, True)


def test_only_the_hops_with_the_most_speech_count() -> None:
    assert clip_value([(0.0, 2.5), (-1.0, 5.0), (-0.5, 6.0)], (2.0, 5.0)) == (-0.75, 5.0, 2)
    assert clip_value([(0.0, 2.5), (-1.0, 3.0)], (2.0, 5.0)) == (-0.5, 2.5, 2)
