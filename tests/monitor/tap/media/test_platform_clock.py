"""The clock of media that a server has stamped: what it claims, and what it does not."""

from __future__ import annotations

from itertools import pairwise

import pytest

from monitor.tap.media.platform_clock import PlatformClock
from monitor.types import ClockState, Stamp, TrackKind

UNCERTAINTY = 0.1
EPOCH = 1_738_392_033.0


class Sender:
    """Sends both tracks; sound is stamped `skew` seconds more than pictures of the same moment."""

    def __init__(self, skew: float = 0.0) -> None:
        self.clock = PlatformClock(UNCERTAINTY)
        self.skew = skew

    def send(self, kind: TrackKind, at: float, late: float = 0.05) -> Stamp:
        stamped = EPOCH + at + (self.skew if kind == "audio" else 0.0)
        media = self.clock.place(kind, round(stamped, 3), at + late)
        return self.clock.at(kind, media, at + late)

    def both(self, first: float, last: float, late: float = 0.05) -> tuple[Stamp, Stamp]:
        for n in range(round(first * 25), round(last * 25)):
            picture, sound = self.send("video", n / 25, late), self.send("audio", n / 25, late)
        return picture, sound


def test_both_tracks_are_on_the_servers_clock_and_say_what_it_does_not_know() -> None:
    picture, sound = Sender().both(0.0, 10.0)
    assert picture.capture == pytest.approx(sound.capture, abs=0.002)
    assert {picture.state, sound.state} == {ClockState.MAPPED}
    assert UNCERTAINTY <= picture.uncertainty < UNCERTAINTY + 0.05


def test_until_both_tracks_have_come_nothing_is_claimed() -> None:
    sender = Sender()
    for n in range(50):
        picture = sender.send("video", n / 25)
    assert picture.state is ClockState.UNKNOWN
    assert picture.uncertainty == pytest.approx(0.5)
    # Whoever was muted begins to speak.
    assert sender.send("audio", 2.0).state is ClockState.MAPPED


def test_a_pause_of_the_sound_is_a_pause() -> None:
    sender = Sender()
    before = sender.both(0.0, 4.0)[1]
    for n in range(100, 250):
        sender.send("video", n / 25)
    picture, sound = sender.both(10.0, 12.0)
    assert sound.capture - before.capture == pytest.approx(8.0, abs=0.01)
    assert picture.capture == pytest.approx(sound.capture, abs=0.002)


def test_sound_that_was_buffered_is_not_taken_for_that_of_the_pictures() -> None:
    """Zoom may send sound from before the connection: it comes at once and is stamped with other times."""
    picture, sound = Sender(skew=-30.0).both(0.0, 5.0)
    assert {picture.state, sound.state} == {ClockState.UNKNOWN}


def test_a_server_that_is_set_to_another_time_begins_anew() -> None:
    sender = Sender()
    before = sender.both(0.0, 5.0)[0]
    sender.skew = 3600.0
    after = [sender.send("audio", 5.0 + n / 25) for n in range(50)]
    assert all(a.media <= b.media for a, b in pairwise(after))
    assert after[-1].media < 60.0
    assert before.media < 60.0
