"""Pauses in which RTP time stands still or runs on: both tracks are in place again within five seconds of media."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.tap.media.clock import CallClock
from monitor.types import ClockState, TrackKind
from tests.monitor.tap.media.senders import EPOCH, KINDS, Pause, Seen, Track, play, worst_pairing

RIGHT_AGAIN_SECONDS = 5.0
WHO: dict[str, tuple[TrackKind, ...]] = {"audio": ("audio",), "video": ("video",), "both": KINDS}
Goes = Literal["stands", "runs"]


def paused(who: str, pause: Pause, every: float, drift: float = 0.0, reports: bool = True) -> list[Track]:
    return [
        Track(kind, ssrc, pause if kind in WHO[who] else Pause(), every=every, drift=drift, reports=reports)
        for ssrc, kind in enumerate(KINDS, 1)
    ]


def after(seen: list[Seen], moment: float) -> list[Seen]:
    return [frame for frame in seen if frame.at >= moment]


@given(
    who=st.sampled_from(sorted(WHO)),
    seconds=st.one_of(st.floats(0.5, 10.0), st.floats(10.0, 300.0)),
    rtp=st.sampled_from(["stands", "runs"]),
    reports=st.sampled_from(["none", "stand", "run"]),
    every=st.floats(0.5, 2.0),
    drift=st.sampled_from([0.0, 100e-6, -100e-6]),
    seed=st.integers(0, 999),
)
@settings(max_examples=60, deadline=None)
def test_after_a_mute_both_tracks_are_mapped_and_in_place(
    who: str, seconds: float, rtp: Goes, reports: Literal["none", "stand", "run"], every: float, drift: float, seed: int
) -> None:
    """A mute of one track or of both; meanwhile there are reports or none, honest or believing that RTP time runs."""
    pause = Pause(12.0, 12.0 + seconds, rtp, "runs", reports)
    seen = list(play(CallClock(), paused(who, pause, every, drift), pause.last + 10.0, seed))
    late = after(seen, pause.last + RIGHT_AGAIN_SECONDS)
    assert {frame.stamp.state for frame in late} == {ClockState.MAPPED}
    assert worst_pairing(late) <= 0.0
    ends = {kind: max(frame.stamp.capture for frame in late if frame.kind == kind) for kind in KINDS}
    assert abs(ends["audio"] - ends["video"]) < 0.3


@given(
    seconds=st.floats(0.5, 300.0),
    wall=st.sampled_from(["stands", "runs"]),
    every=st.floats(0.5, 2.0),
    seed=st.integers(0, 999),
)
@settings(max_examples=40, deadline=None)
def test_after_a_laptop_has_slept(seconds: float, wall: Goes, every: float, seed: int) -> None:
    """RTP time stands still on both tracks; the wall clock of the reports as well, or it has gone on."""
    pause = Pause(12.0, 12.0 + seconds, "stands", wall)
    seen = list(play(CallClock(), paused("both", pause, every), pause.last + 10.0, seed))
    late = after(seen, pause.last + RIGHT_AGAIN_SECONDS)
    assert {frame.stamp.state for frame in late} == {ClockState.MAPPED}
    assert worst_pairing(late) <= 0.0


@given(
    who=st.sampled_from(sorted(WHO)),
    seconds=st.floats(0.5, 300.0),
    rtp=st.sampled_from(["stands", "runs"]),
    seed=st.integers(0, 999),
)
@settings(max_examples=40, deadline=None)
def test_without_reports_arrival_is_found_again(who: str, seconds: float, rtp: Goes, seed: int) -> None:
    pause = Pause(12.0, 12.0 + seconds, rtp)
    tracks = paused(who, pause, 1.0, reports=False)
    late = after(list(play(CallClock(), tracks, pause.last + 8.0, seed)), pause.last + RIGHT_AGAIN_SECONDS)
    assert {frame.stamp.state for frame in late} == {ClockState.UNKNOWN}
    assert max(abs(f.stamp.capture - f.at - tracks[0].delay) - f.stamp.uncertainty for f in late) <= 0.0


def test_rtp_time_that_stood_still_is_counted_as_a_reset() -> None:
    for reports in (True, False):
        clock = CallClock()
        seen = list(play(clock, paused("audio", Pause(12.0, 32.0), 1.0, reports=reports), 42.0))
        assert {kind: track.resets for kind, track in clock.tracks.items()} == {"audio": 1, "video": 0}
        media = [frame.stamp.media for frame in seen if frame.kind == "audio"]
        assert media == sorted(media)
        assert media[-1] == pytest.approx(41.96, abs=0.1)


@pytest.mark.parametrize("slower", [0.6, 1.5])
def test_a_network_that_becomes_slower_moves_no_media_where_reports_explain_it(slower: float) -> None:
    clock, tracks = CallClock(), paused("both", Pause(), 1.0)
    list(play(clock, tracks, 12.0))
    for track in tracks:
        track.delay += slower
    late = after(list(play(clock, tracks, 24.0, first=12.0)), 18.0)
    assert [track.resets for track in clock.tracks.values()] == [0, 0]
    assert {frame.stamp.state for frame in late} == {ClockState.MAPPED}
    assert worst_pairing(late) <= 0.0


def test_where_nobody_explains_a_lag_the_track_is_unknown_until_the_next_report() -> None:
    tracks = paused("audio", Pause(12.0, 20.0), 1.0)
    clock = CallClock()
    list(play(clock, tracks, 12.0))
    tracks[0].reports = False
    seen = list(play(clock, tracks, 26.0, first=12.0))
    assert after(seen, 23.0)[-1].stamp.state is ClockState.UNKNOWN
    clock.sender_report("audio", EPOCH + 26.0, tracks[0].rtp(26.0), 26.05, tracks[0].ssrc)
    assert clock.at("audio", 25.9, 26.1).state is ClockState.MAPPED
