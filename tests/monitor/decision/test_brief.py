"""Brief windows of synchrony: a bet of their own beside whole windows."""

from dataclasses import replace

import pytest

from monitor.decision.evalues import shaped
from monitor.types import BriefScore, Score
from tests.monitor.decision.playing import LIPS, persona, play, sync


def brief(p: float | None) -> Score:
    return replace(sync(0.5), brief=BriefScore(-0.1, p, 2.0) if p is not None else BriefScore())


def test_brief_windows_are_added_up_in_place_of_whole_ones() -> None:
    state, _ = play([[brief(0.004)]] * 8)
    assert state.running.windows.statistic == 0
    assert state.running.brief.statistic == pytest.approx(shaped(0.004) ** 2, rel=0.1)
    assert state.running.statistic == pytest.approx(0.4 * state.running.brief.statistic)
    beside, _ = play([[brief(0.004), persona(0.02)]] * 8)
    assert beside.running.brief.phases == state.running.brief.phases
    assert beside.running.windows.phases == play([[persona(0.02)]] * 8)[0].running.windows.phases
    assert beside.running.statistic == (beside.running.windows.statistic + state.running.statistic) / 2


def test_too_little_in_a_brief_window_changes_nothing() -> None:
    state, _ = play([[brief(0.004)]] * 8)
    after, (decision,) = play([[brief(None)]], state, time=4.0)
    assert after.running == state.running
    assert decision.statistic == state.running.statistic


def test_a_voice_that_never_fits_is_found_by_its_brief_windows() -> None:
    _, decisions = play([[brief(0.004)]] * 60)
    first = next(n for n, decision in enumerate(decisions) if decision.transition)
    assert decisions[first].finding_reason is LIPS
    assert first < 20
