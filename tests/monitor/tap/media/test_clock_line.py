"""Steps of the sender's clock: doubted at the first report that says so, followed at the second."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.tap.media.clock import CallClock
from monitor.types import ClockState
from tests.monitor.tap.media.senders import EPOCH, KINDS, Track, play, worst_pairing
from tests.monitor.tap.media.test_least_delay import RIGHT_AGAIN_SECONDS, WHO, after


@given(
    who=st.sampled_from(sorted(WHO)),
    step=st.one_of(st.floats(0.1, 0.3), st.floats(-0.3, -0.1), st.floats(0.3, 1.5)),
    drift=st.floats(-100e-6, 100e-6),
    late=st.floats(0.0, 0.033),
    began=st.floats(6.0, 60.0),
    seed=st.integers(0, 999),
)
@settings(max_examples=80, deadline=None)
def test_a_step_of_the_senders_clock_is_followed_within_seconds(
    who: str, step: float, drift: float, late: float, began: float, seed: int
) -> None:
    """A report a second, late by up to a frame at 30 Hz as some senders make them."""

    def wall(at: float) -> float:
        return at + (step if at >= began else 0.0)

    tracks = [
        Track(kind, ssrc, wall=wall if kind in WHO[who] else lambda at: at, drift=drift * sign, late=late)
        for ssrc, (kind, sign) in enumerate(zip(KINDS, (1, -1), strict=True), 1)
    ]
    seen = after(list(play(CallClock(), tracks, began + 10.0, seed)), began + RIGHT_AGAIN_SECONDS)
    assert {frame.stamp.state for frame in seen} == {ClockState.MAPPED}
    assert worst_pairing(seen) <= 0.0
    assert max(frame.stamp.uncertainty for frame in seen) < 0.1


def test_the_first_report_of_a_step_is_doubted_and_covered() -> None:
    clock, tracks = CallClock(), [Track("audio", 1), Track("video", 2)]
    list(play(clock, tracks, 12.0))
    before = clock.tracks["audio"].reading(12.0)
    clock.sender_report("audio", EPOCH + 12.2, tracks[0].rtp(12.0), 12.05, tracks[0].ssrc)
    after_one = clock.tracks["audio"].reading(12.0)
    assert after_one[0] == pytest.approx(before[0], abs=0.01)
    assert after_one[1] > 0.2
    clock.sender_report("audio", EPOCH + 13.2, tracks[0].rtp(13.0), 13.05, tracks[0].ssrc)
    assert clock.tracks["audio"].reading(13.0)[0] == pytest.approx(EPOCH + 13.2, abs=0.01)
