"""The clock under skew, drift, jitter, loss, wrap, resets and lies; the sender is a few lines of arithmetic."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.tap.media.clock import (
    ARRIVAL_UNCERTAINTY_SECONDS,
    CallClock,
    TrackClock,
    ntp_seconds,
)
from monitor.tap.media.clock_line import SenderReport, fit_line
from monitor.types import ClockState, TrackKind
from tests.examples_count import examples

WRAP = 1 << 32
EPOCH = 3_900_000_000.0


@dataclass
class Sender:
    """One track of a sender: true capture times, its own RTP offset, drift of its media clock, network delay."""

    rate: int = 90_000
    ssrc: int = 1
    offset: int = 0
    drift: float = 0.0
    delay: float = 0.05
    skew: float = 0.0
    rng: random.Random = field(default_factory=lambda: random.Random(7))

    def ticks(self, capture: float) -> int:
        return (self.offset + round(capture * (1 + self.drift) * self.rate)) % WRAP

    def frame(self, clock: TrackClock, capture: float, jitter: float = 0.0) -> float:
        return clock.rtp(self.ticks(capture), capture + self.delay + self.rng.random() * jitter, self.ssrc)

    def report(self, clock: TrackClock, capture: float, late: float = 0.0) -> None:
        ntp = EPOCH + capture + self.skew + self.rng.random() * late
        clock.sender_report(ntp, self.ticks(capture), capture + self.delay, self.ssrc)


def play(
    clock: TrackClock, sender: Sender, first: float, last: float, *, late: float = 0.0, jitter: float = 0.0
) -> float:
    """Send 25 frames and one report a second; the last media time."""
    media = 0.0
    for n in range(round(first * 25), round(last * 25)):
        media = sender.frame(clock, n / 25, jitter)
        if n % 25 == 24:
            sender.report(clock, n / 25, late)
    return media


def test_ntp_timestamps_become_seconds() -> None:
    assert ntp_seconds((int(EPOCH) << 32) | (1 << 31)) == EPOCH + 0.5


def test_media_starts_at_zero_and_follows_the_timestamps() -> None:
    clock, sender = TrackClock(90_000), Sender(offset=123)
    assert sender.frame(clock, 5.0) == 0.0
    assert sender.frame(clock, 5.5) == pytest.approx(0.5)
    assert not clock.mapped
    assert clock.drift == 0.0


def test_without_reports_the_arrival_is_given_at_its_least_delay() -> None:
    clock = TrackClock(90_000)
    for n, delay in enumerate([0.3, 0.1, 0.4]):
        clock.rtp(n * 90_000, n + delay, 1)
    capture, uncertainty, state = clock.reading(2.0)
    assert (uncertainty, state) == (ARRIVAL_UNCERTAINTY_SECONDS, ClockState.UNKNOWN)
    assert capture == pytest.approx(2.1, abs=0.002)


def test_one_report_maps_the_track() -> None:
    clock, sender = TrackClock(90_000), Sender()
    sender.frame(clock, 0.0)
    sender.report(clock, 0.0)
    capture, uncertainty, state = clock.reading(2.0)
    assert state is ClockState.MAPPED
    assert capture == pytest.approx(EPOCH + 2.0, abs=1e-5)
    assert 0.05 < uncertainty < 0.06


@given(
    offset=st.integers(0, WRAP - 1),
    drift=st.floats(-200e-6, 200e-6),
    late=st.floats(0.0, 0.05),
    jitter=st.floats(0.0, 0.2),
    seconds=st.integers(3, 90),
    seed=st.integers(0, 999),
)
@example(offset=0, drift=0.0, late=0.046875, jitter=0.0, seconds=3, seed=843)
@settings(max_examples=examples(60), deadline=None)
def test_capture_lies_within_its_uncertainty(
    offset: int, drift: float, late: float, jitter: float, seconds: int, seed: int
) -> None:
    """Skew, drift, report jitter, network jitter, and a wrap wherever the offset puts it."""
    clock = TrackClock(90_000)
    sender = Sender(offset=offset, drift=drift, rng=random.Random(seed))
    media = play(clock, sender, 0, seconds, late=late, jitter=jitter)
    capture, uncertainty, state = clock.reading(media)
    assert state is ClockState.MAPPED
    assert abs(capture - (EPOCH + seconds - 0.04)) <= uncertainty < 0.13
    assert clock.resets == 0


def test_drift_is_found() -> None:
    clock = TrackClock(90_000)
    play(clock, Sender(drift=200e-6), 0, 60)
    assert clock.drift == pytest.approx(-200e-6, rel=0.05)
    assert clock.reading(60.0)[1] < 0.02


@given(losses=st.lists(st.integers(1, 400), max_size=8), offset=st.integers(0, WRAP - 1))
@settings(max_examples=examples(60), deadline=None)
def test_loss_leaves_the_timeline_in_place(losses: list[int], offset: int) -> None:
    clock, sender, n = TrackClock(48_000), Sender(rate=48_000, offset=offset), 0
    sender.frame(clock, 0.0)
    for lost in losses:
        n += lost
        assert sender.frame(clock, n / 25) == pytest.approx(n / 25, abs=1e-3)
    assert clock.resets == 0


@pytest.mark.parametrize("hours", [14, 30, 100])
def test_a_pause_longer_than_a_wrap_is_counted_by_arrival(hours: int) -> None:
    clock, sender = TrackClock(90_000), Sender()
    sender.frame(clock, 0.0)
    assert sender.frame(clock, hours * 3600.0) == pytest.approx(hours * 3600.0)


@given(
    events=st.lists(
        st.tuples(st.integers(0, WRAP - 1), st.integers(1, 3), st.floats(-1.0, 5.0)),
        min_size=1,
        max_size=60,
    )
)
@settings(max_examples=examples(200), deadline=None)
def test_media_never_steps_back_nor_outruns_arrival(events: list[tuple[int, int, float]]) -> None:
    """Whatever timestamps, SSRCs and arrivals come."""
    clock, now, first, before = TrackClock(90_000), 100.0, None, 0.0
    for timestamp, ssrc, elapsed in events:
        now += elapsed
        first = now if first is None else first
        media = clock.rtp(timestamp, now, ssrc)
        latest = max(first, now)
        assert media >= before
        assert media <= latest - first + 10 + 5 * len(events)
        before = media


def test_reordered_frames_hold_the_timeline_without_a_reset() -> None:
    clock = TrackClock(90_000)
    media = [clock.rtp(round(at * 90_000), n / 25, 1) for n, at in enumerate([0, 0.12, 0.04, 0.08, 0.16])]
    assert media == pytest.approx([0, 0.12, 0.12, 0.12, 0.16])
    assert clock.resets == 0


def test_many_small_steps_back_do_not_freeze_the_timeline() -> None:
    clock = TrackClock(90_000)
    media = [clock.rtp(round((1000 - 0.3 * n) * 90_000), n / 5, 1) for n in range(20)]
    assert media[-1] > 3.0
    assert clock.resets > 0


@pytest.mark.parametrize("jump", [-3600.0, -0.8, 3.0, 7200.0])
def test_a_step_of_the_timestamps_is_reanchored_from_arrival(jump: float) -> None:
    clock, sender = TrackClock(90_000), Sender(offset=5)
    before = play(clock, sender, 0, 10)
    sender.offset += round(jump * 90_000)
    after = sender.frame(clock, 10.0)
    assert after - before == pytest.approx(0.04, abs=0.005)
    assert clock.resets == 1
    capture, uncertainty, state = clock.reading(after)
    assert state is ClockState.MAPPED
    assert abs(capture - EPOCH - 10.0) < uncertainty
    assert uncertainty > 0.15
    media = play(clock, sender, 10.04, 13)
    capture, uncertainty, _ = clock.reading(media)
    assert abs(capture - EPOCH - 12.96) < uncertainty < 0.06


def test_an_ssrc_switch_is_reanchored_and_takes_its_early_report() -> None:
    clock, sender = TrackClock(90_000), Sender()
    before = play(clock, sender, 0, 5)
    switched = Sender(ssrc=2, offset=WRAP - 10)
    switched.report(clock, 5.0)
    assert clock.reading(before)[0] == pytest.approx(EPOCH + 4.96)
    after = switched.frame(clock, 5.2)
    assert after - before == pytest.approx(0.24, abs=0.005)
    capture, uncertainty, _ = clock.reading(after)
    assert capture == pytest.approx(EPOCH + 5.2, abs=1e-3)
    assert uncertainty < 0.06


def test_a_track_that_was_never_mapped_survives_a_switch_unmapped() -> None:
    clock = TrackClock(90_000)
    clock.rtp(0, 0.0, 1)
    clock.sender_report(EPOCH, 0, 0.0, 3)
    clock.rtp(77, 1.0, 2)
    assert clock.resets == 1
    assert not clock.mapped


def test_reports_that_mean_nothing_are_left_out() -> None:
    clock, sender = TrackClock(90_000), Sender()
    sender.frame(clock, 0.0)
    clock.sender_report(0.0, 0, 0.0, 1)
    clock.sender_report(EPOCH, 3600 * 90_000, 0.0, 1)
    assert not clock.mapped
    sender.report(clock, 0.0)
    sender.report(clock, 0.0)
    assert clock.reading(0.0)[1] > 0.05


def test_a_single_wild_report_is_ignored_and_a_real_step_is_followed() -> None:
    clock, sender = TrackClock(90_000), Sender()
    play(clock, sender, 0, 10)
    sender.skew = 30.0
    media = sender.frame(clock, 10.0)
    sender.report(clock, 10.0)
    assert clock.reading(media)[0] == pytest.approx(EPOCH + 10.0, abs=1e-3)
    sender.skew = -7.0
    sender.report(clock, 10.1)
    assert clock.reading(media)[0] == pytest.approx(EPOCH + 10.0, abs=1e-3)
    sender.report(clock, 10.5)
    assert clock.reading(media)[0] == pytest.approx(EPOCH + 3.0, abs=1e-3)


def test_a_fit_ignores_a_minority_of_wild_reports() -> None:
    reports = [SenderReport(float(n), EPOCH + n + (0.2 if n % 4 == 3 else 0.0)) for n in range(24)]
    line = fit_line(reports)
    assert line.at(10.0) == pytest.approx(EPOCH + 10.0, abs=0.01)
    assert line.spread == pytest.approx(0.2, abs=0.02)


def tracks(skew: float = 0.0, late_video: float = 0.0) -> tuple[CallClock, dict[TrackKind, Sender]]:
    clock = CallClock()
    audio = Sender(rate=48_000, ssrc=10, offset=WRAP - 5_000)
    video = Sender(rate=90_000, ssrc=20, offset=99, skew=skew)
    for n in range(round(late_video * 25)):
        clock.stamp("audio", audio.ticks(n / 25), n / 25 + audio.delay, audio.ssrc)
    return clock, {"audio": audio, "video": video}


def send(clock: CallClock, senders: dict[TrackKind, Sender], first: float, last: float) -> tuple[float, ClockState]:
    """Play both tracks; the largest audio to video error over frames captured at once, and the last state."""
    worst, state = 0.0, ClockState.UNKNOWN
    for n in range(round(first * 25), round(last * 25)):
        at = n / 25
        stamps = {
            kind: clock.stamp(kind, s.ticks(at), at + s.delay + s.rng.random() * 0.1, s.ssrc)
            for kind, s in senders.items()
        }
        if n % 25 == 12:
            for kind, s in senders.items():
                clock.sender_report(kind, EPOCH + at + s.skew, s.ticks(at), at + s.delay, s.ssrc)
        state = stamps["video"].state
        if state is ClockState.MAPPED:
            worst = max(worst, abs(stamps["audio"].capture - stamps["video"].capture))
    return worst, state


@pytest.mark.parametrize("late", [0.0, 2.5])
def test_both_tracks_share_a_clock_also_when_one_starts_late(late: float) -> None:
    clock, senders = tracks(late_video=late)
    worst, state = send(clock, senders, late, late + 8)
    assert state is ClockState.MAPPED
    assert worst < 0.005


def test_capture_is_unknown_until_both_tracks_are_mapped() -> None:
    clock, senders = tracks()
    stamp = clock.stamp("audio", 0, 1.0, 10)
    clock.sender_report("audio", EPOCH, 0, 1.0, 10)
    stamp = clock.stamp("audio", 960, 1.02, 10)
    assert (stamp.state, stamp.uncertainty, stamp.arrival) == (ClockState.UNKNOWN, ARRIVAL_UNCERTAINTY_SECONDS, 1.02)
    assert stamp.capture == pytest.approx(1.02, abs=1e-4)
    assert senders["video"].delay == 0.05


def test_capture_begins_near_arrival_when_it_becomes_known() -> None:
    clock, senders = tracks()
    send(clock, senders, 0, 3)
    stamp = clock.at("video", 2.9, 3.0)
    assert stamp.state is ClockState.MAPPED
    assert abs(stamp.capture - 2.95) < 0.1


def test_a_skewed_server_is_believed_up_to_two_seconds_and_not_beyond() -> None:
    clock, senders = tracks(skew=0.4)
    worst, state = send(clock, senders, 0, 4)
    assert state is ClockState.MAPPED
    assert worst == pytest.approx(0.4, abs=0.01)
    delays = {kind: clock.at(kind, 3.9, 4.0).delay for kind in senders}
    assert delays["audio"] - delays["video"] == pytest.approx(0.4, abs=0.05)
    clock, senders = tracks(skew=50.0)
    assert send(clock, senders, 0, 4)[1] is ClockState.UNKNOWN


def test_a_step_of_the_senders_wall_clock_heals() -> None:
    clock, senders = tracks()
    send(clock, senders, 0, 5)
    for sender in senders.values():
        sender.skew = -3600.0
    send(clock, senders, 5, 8)
    worst, state = send(clock, senders, 8, 12)
    assert state is ClockState.MAPPED
    assert worst < 0.005
    assert abs(clock.at("video", 11.9, 12.0).capture - 11.95) < 0.2
