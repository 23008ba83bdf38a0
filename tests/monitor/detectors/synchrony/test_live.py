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
from monitor.types import BriefScore, Reason
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


def test_brief_windows_are_scored_where_they_are_calibrated() -> None:
    brief = Calibration((replace(table(1.2), share=0.25),))
    live = LoadedSynchrony(Calibration((table(2.0), table(5.0)), brief)).live(5.0, Later())
    live.restart(WindowBuffer())
    lips = unit(1)
    voice = np.concatenate([lips[:70], unit(2)[70:]])
    torn = window(lips, voice)
    score = live.score(Hop(torn))
    assert score.value is not None
    assert score.brief is not None
    assert score.brief.value is not None
    assert score.brief.p_value is not None
    assert score.brief.seconds == pytest.approx(2.0, abs=0.1)
    # The newest two seconds do not fit at all, the window as a whole does in part.
    assert score.brief.value > score.value + 0.3
    assert score.brief.p_value < 0.1
    assert live.score(Hop(torn)).brief == BriefScore()
    assert live.score(Hop(torn, obstacle=Reason.NO_FACE)).brief == BriefScore()


def test_two_seconds_without_speech_are_no_bet(loaded: LoadedSynchrony) -> None:
    live = LoadedSynchrony(replace(loaded.calibration, brief=Calibration((table(1.2),)))).live(5.0, Later())
    live.restart(WindowBuffer())
    paused = replace(same(), speech=np.arange(125) < 100)
    score = live.score(Hop(paused))
    assert score.p_value is not None
    assert score.brief == BriefScore()
    silent = replace(same(), end=9.5, speech=np.zeros(125, np.bool_))
    assert live.score(Hop(silent)).brief == BriefScore()


def test_without_their_calibration_whole_windows_are_the_bet(live: LiveSynchrony) -> None:
    assert live.score(Hop(same())).brief is None
    assert live.score(Hop(same(), obstacle=Reason.NO_FACE)).brief is None


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


def test_where_reports_and_arrival_disagree_the_better_pairing_counts(live: LiveSynchrony) -> None:
    apart, together = window(unit(1), unit(2)), same()
    by_arrival = live.score(Hop(replace(apart, by_arrival=together)))
    by_reports = live.score(Hop(replace(together, end=9.5, by_arrival=apart)))
    assert [score.value for score in (by_arrival, by_reports)] == pytest.approx([-1.0, -1.0], abs=1e-5)
    assert by_arrival.evidence["paired_by"] == "arrival"
    assert "paired_by" not in by_reports.evidence
    assert by_arrival.p_value == by_reports.p_value


def test_voices_that_fit_in_neither_pairing_stay_suspicious(live: LiveSynchrony) -> None:
    score = live.score(Hop(replace(window(unit(1), unit(2)), by_arrival=window(unit(3), unit(4)))))
    assert score.value is not None
    assert score.value > -0.3


@pytest.mark.parametrize("first", [True, False])
def test_a_pairing_that_cannot_be_judged_leaves_doubt(live: LiveSynchrony, first: bool) -> None:
    silent, apart = replace(same(), speech=np.zeros(125, np.bool_)), window(unit(1), unit(2))
    score = live.score(Hop(replace(silent, by_arrival=apart) if first else replace(apart, by_arrival=silent)))
    assert (score.value, score.reason) == (None, Reason.SILENCE)


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
