"""Pauses in which RTP time stands still or runs on: both tracks are in place again within five seconds of media."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.tap.media.clock import CallClock
from monitor.types import ClockState, TrackKind
from tests.examples_count import examples
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
    every=st.floats(0.5, 5.0),
    drift=st.sampled_from([0.0, 100e-6, -100e-6]),
    seed=st.integers(0, 999),
)
@settings(max_examples=examples(60), deadline=None)
def test_after_a_mute_both_tracks_are_mapped_and_in_place(
    who: str, seconds: float, rtp: Goes, reports: Literal["none", "stand", "run"], every: float, drift: float, seed: int
) -> None:
    """A mute of one track or of both; meanwhile there are reports or none, honest or believing that RTP time runs.

    Where both tracks pause, the network is in doubt until a report comes: those are two seconds apart at most.
    """
    every = min(every, 2.0) if who == "both" else every
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
@settings(max_examples=examples(40), deadline=None)
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
@settings(max_examples=examples(40), deadline=None)
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


@given(seconds=st.floats(0.5, 20.0), reports=st.booleans(), seed=st.integers(0, 999))
@settings(max_examples=examples(30), deadline=None)
def test_what_the_network_held_up_and_delivers_at_once_moves_nothing(seconds: float, reports: bool, seed: int) -> None:
    clock, tracks = CallClock(), paused("both", Pause(), 1.0, reports=reports)
    for track in tracks:
        track.held = 12.0, 12.0 + seconds
    late = after(list(play(clock, tracks, 14.0 + seconds, seed)), 12.0 + seconds)
    assert [track.resets for track in clock.tracks.values()] == [0, 0]
    assert {frame.stamp.state for frame in late} == {ClockState.MAPPED if reports else ClockState.UNKNOWN}
    assert worst_pairing(late) <= 0.0


def unreported(who: str) -> tuple[CallClock, list[Track], list[Seen]]:
    """A pause of 8 s, after which the reports of these tracks stay away."""
    tracks = paused(who, Pause(12.0, 20.0), 1.0)
    clock = CallClock()
    list(play(clock, tracks, 12.0))
    for track in tracks:
        track.reports = track.kind not in WHO[who]
    return clock, tracks, after(list(play(clock, tracks, 26.0, first=12.0)), 23.0)


def test_where_both_tracks_lag_and_nobody_explains_it_the_clock_is_unknown_until_the_next_report() -> None:
    clock, tracks, late = unreported("both")
    assert {frame.stamp.state for frame in late} == {ClockState.UNKNOWN}
    for track in tracks:
        clock.sender_report(track.kind, EPOCH + 26.0, track.rtp(26.0), 26.05, track.ssrc)
    assert clock.at("audio", 25.9, 26.1).state is ClockState.MAPPED


@pytest.mark.parametrize("who", ["audio", "video"])
def test_where_the_other_track_is_on_time_it_was_not_the_network(who: str) -> None:
    """Browsers report on sound every five seconds only."""
    clock, _, late = unreported(who)
    assert {frame.stamp.state for frame in late} == {ClockState.MAPPED}
    assert worst_pairing(late) <= 0.0
    assert sum(track.resets for track in clock.tracks.values()) == 1
