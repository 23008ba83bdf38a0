"""Media of LiveKit's SDK on the sender's clock: statistics, jitter buffers that change, sound without times."""

from __future__ import annotations

import pytest

from monitor.tap.kit import ClockState, TrackKind
from plugins.protocols.livekit.clock import (
    FIRST_UNCERTAINTY_SECONDS,
    MAX_AGE_SECONDS,
    MAX_LATE_SECONDS,
    NTP_EPOCH_SECONDS,
    READING_UNCERTAINTY_SECONDS,
    UNKNOWN_UNCERTAINTY_SECONDS,
    Playout,
    RoomClock,
    SoundClock,
    playout,
)

SENDER = 5000.0


def clock(audio_delay: float, video_delay: float, *ats: float) -> RoomClock:
    """A clock that was read at these times, while tracks played by so much after their capture."""
    made = RoomClock()
    delays: dict[TrackKind, float] = {"audio": audio_delay, "video": video_delay}
    for at in ats:
        for kind, delay in delays.items():
            made = made.noted(kind, Playout(at, SENDER + at - delay))
    return made


def test_what_was_captured_together_is_so_whatever_jitter_buffers_do() -> None:
    made = clock(0.7, 0.1, 10.0, 11.0)
    seen, heard = made.stamp("video", 3.0, 12.1, 12.1), made.stamp("audio", 4.0, 12.7, 12.8)
    assert seen.capture == pytest.approx(heard.capture)
    assert (seen.state, heard.state, seen.media, heard.arrival) == (ClockState.MAPPED, ClockState.MAPPED, 3.0, 12.8)
    # It begins near our own clock, and says by how much sound comes later.
    assert seen.capture == pytest.approx(12.1)
    assert heard.delay - seen.delay == pytest.approx(0.6)
    assert seen.uncertainty == pytest.approx(READING_UNCERTAINTY_SECONDS)


def test_while_a_jitter_buffer_changes_the_uncertainty_says_so() -> None:
    made = clock(0.1, 0.1, 10.0)
    assert made.stamp("audio", 0.0, 10.0, 10.0).uncertainty == FIRST_UNCERTAINTY_SECONDS
    made = made.noted("audio", Playout(11.0, SENDER + 11.0 - 0.3))
    assert made.stamp("audio", 0.0, 11.0, 11.0).uncertainty == pytest.approx(READING_UNCERTAINTY_SECONDS + 0.2)
    for at in (12.0, 13.0, 14.0):
        made = made.noted("audio", Playout(at, SENDER + at - 0.3))
    assert made.stamp("audio", 0.0, 14.0, 14.0).uncertainty == pytest.approx(READING_UNCERTAINTY_SECONDS)
    assert made.stamp("audio", 0.0, 14.3, 14.3).capture == pytest.approx(made.stamp("video", 0.0, 14.1, 14.1).capture)


def unknown(made: RoomClock, now: float = 20.0) -> bool:
    stamp = made.stamp("audio", 1.0, 2.0, now)
    if stamp.state is ClockState.UNKNOWN:
        assert (stamp.capture, stamp.uncertainty) == (2.0, UNKNOWN_UNCERTAINTY_SECONDS)
    return stamp.state is ClockState.UNKNOWN


def test_what_is_not_known_is_said() -> None:
    assert unknown(RoomClock())
    assert unknown(RoomClock().noted("audio", Playout(20.0, SENDER)))
    assert unknown(clock(0.1, 2.2, 20.0))
    assert unknown(clock(0.1, 0.1, 20.0), now=20.0 + MAX_AGE_SECONDS + 1.0)
    made = clock(0.1, 0.1, 20.0)
    assert not unknown(made)
    assert unknown(made.forgotten("video"))
    assert unknown(RoomClock().noted("video", Playout(20.0, SENDER)).noted("video", Playout(20.0, SENDER)))


def test_a_senders_clock_that_is_set_is_another_clock() -> None:
    made = clock(0.1, 0.1, 10.0, 11.0, 12.0)
    for at in (13.0, 14.0, 15.0):
        for kind in ("audio", "video"):
            made = made.noted(kind, Playout(at, 9000.0 + at))
    assert made.stamp("video", 0.0, 15.5, 15.5).capture == pytest.approx(15.5)


def test_blocks_of_sound_follow_each_other_however_late_they_come() -> None:
    sound, placed = SoundClock(), []
    for number, late in enumerate((0.02, 0.0, 0.3, 0.0, 0.1)):
        media, began, sound = sound.placed(0.03, 100.0 + 0.03 * (number + 1) + late)
        placed.append((round(media, 6), began))
    assert [media for media, _ in placed] == [0.0, 0.03, 0.06, 0.09, 0.12]
    assert placed[0][1] == pytest.approx(100.02)
    assert [began for _, began in placed[1:]] == pytest.approx([100.03, 100.06, 100.09, 100.12], abs=1e-3)


def test_after_a_pause_sound_goes_on_by_the_time_that_has_passed() -> None:
    _, _, sound = SoundClock().placed(0.03, 50.03)
    media, began, sound = sound.placed(0.03, 50.06 + MAX_LATE_SECONDS + 1.0)
    assert media == pytest.approx(0.03 + MAX_LATE_SECONDS + 1.0, abs=1e-3)
    assert began == pytest.approx(51.53, abs=1e-3)
    assert sound.placed(0.03, 51.59)[0] == pytest.approx(media + 0.03)


def test_a_reading_of_the_statistics() -> None:
    wall = 1_800_000_000.0
    reading = playout((NTP_EPOCH_SECONDS + wall - 0.25) * 1000.0, wall, 77.0)
    assert reading is not None
    assert (reading.at, round(reading.capture - wall, 3)) == (77.0, -0.25)
    for estimated, at in ((0.0, wall), (-1.0, wall), (1e16, wall), (float("nan"), wall), (1.0, 0.0)):
        assert playout(estimated, at, 77.0) is None
