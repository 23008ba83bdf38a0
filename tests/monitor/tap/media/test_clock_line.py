"""Steps of the sender's clock: covered at the first report that says so, followed at the second."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.tap.media.clock import CallClock
from monitor.types import ClockState
from tests.examples_count import examples
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
@settings(max_examples=examples(80), deadline=None)
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


@given(
    who=st.sampled_from(sorted(WHO)),
    step=st.one_of(st.floats(0.1, 0.3), st.floats(-0.3, -0.1)),
    drift=st.floats(-100e-6, 100e-6),
    seed=st.integers(0, 999),
)
@settings(max_examples=examples(60), deadline=None)
def test_where_reports_are_rare_the_first_is_believed_for_the_time_being(
    who: str, step: float, drift: float, seed: int
) -> None:
    """Browsers report on sound every five seconds: waiting for a second report takes too long."""

    def wall(at: float) -> float:
        return at + (step if at >= 40.0 else 0.0)

    tracks = [
        Track(kind, ssrc, wall=wall if kind in WHO[who] else lambda at: at, drift=drift, every=5.0)
        for ssrc, kind in enumerate(KINDS, 1)
    ]
    # Reports are up to half as far apart again.
    seen = after(list(play(CallClock(), tracks, 60.0, seed)), 40.0 + 7.5)
    assert {frame.stamp.state for frame in seen} == {ClockState.MAPPED}
    last = {frame.kind: frame for frame in seen if frame.at < 48.0}
    errors = [frame.stamp.capture - frame.clock for frame in last.values()]
    assert abs(errors[0] - errors[1]) < 0.06
    assert worst_pairing(seen) <= 0.0


@pytest.mark.parametrize(("wild", "interval"), [(-0.2, 1.0), (0.2, 5.0)])
def test_a_wild_report_that_was_believed_is_taken_back_at_the_next(wild: float, interval: float) -> None:
    clock, tracks = CallClock(), [Track("audio", 1, every=interval), Track("video", 2)]
    list(play(clock, tracks, 60.0))
    at = 60.0 + interval
    clock.sender_report("audio", EPOCH + at + wild, tracks[0].rtp(at), at + 0.05, 1)
    believed = clock.tracks["audio"].reading(at)
    assert believed[0] == pytest.approx(EPOCH + at + wild, abs=0.02)
    assert believed[1] > abs(wild)
    clock.sender_report("audio", EPOCH + at + 1.0, tracks[0].rtp(at + 1.0), at + 1.05, 1)
    capture, uncertainty, _ = clock.tracks["audio"].reading(at)
    assert capture == pytest.approx(EPOCH + at, abs=0.02)
    assert uncertainty < 0.05


@pytest.mark.parametrize("far", [-7.0, 30.0])
def test_one_far_report_changes_nothing(far: float) -> None:
    clock, tracks = CallClock(), [Track("audio", 1, every=5.0), Track("video", 2)]
    list(play(clock, tracks, 60.0))
    clock.sender_report("audio", EPOCH + 65.0 + far, tracks[0].rtp(65.0), 65.05, 1)
    assert clock.tracks["audio"].reading(65.0)[0] == pytest.approx(EPOCH + 65.0, abs=0.02)


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
