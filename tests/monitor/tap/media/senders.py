"""A sender of both tracks in virtual time: pauses, clocks that step, stand still or drift, and reports about them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from monitor.tap.media.clock import CLOCK_RATES_HZ, CallClock
from monitor.types import Stamp, TrackKind

WRAP = 1 << 32
EPOCH = 3_900_000_000.0
KINDS: tuple[TrackKind, ...] = ("audio", "video")


@dataclass
class Pause:
    """A pause of a track's media from `first` to `last` seconds, in which `rtp` time and the wall clock stand or run.

    `reports` are sent in it or not; of RTP time that stands still they may believe that it `runs`.
    """

    first: float = 0.0
    last: float = 0.0
    rtp: Literal["stands", "runs"] = "stands"
    wall: Literal["stands", "runs"] = "runs"
    reports: Literal["none", "stand", "run"] = "none"

    def covers(self, at: float) -> bool:
        return self.first <= at < self.last

    def lost(self, at: float) -> float:
        """Seconds of this pause that have passed at a moment."""
        return min(max(at - self.first, 0.0), self.last - self.first)


@dataclass
class Track:
    """One track of the sender; `wall` gives its reports' clock at a moment, `late` is by how much reports are late.

    The network holds up what is sent between the two moments of `held` and delivers it all at once.
    """

    kind: TrackKind
    ssrc: int
    pause: Pause = field(default_factory=Pause)
    wall: Callable[[float], float] = lambda at: at
    drift: float = 0.0
    delay: float = 0.05
    jitter: float = 0.05
    every: float = 1.0
    late: float = 0.0
    reports: bool = True
    held: tuple[float, float] = (0.0, 0.0)
    offset: int = 12345
    fps: int = 25

    def rtp(self, at: float, is_report: bool = False) -> int:
        stands = self.pause.rtp == "stands" and not (
            is_report and self.pause.covers(at) and self.pause.reports == "run"
        )
        media = (at - (self.pause.lost(at) if stands else 0.0)) * (1 + self.drift)
        return (self.offset + round(media * CLOCK_RATES_HZ[self.kind])) % WRAP

    def arrival(self, at: float, jitter: float = 0.0) -> float:
        return (self.held[1] if self.held[0] <= at < self.held[1] else at) + self.delay + jitter

    def clock(self, at: float) -> float:
        """The sender's clock at a moment, which captures are measured by."""
        return self.wall(at) - (self.pause.lost(at) if self.pause.wall == "stands" else 0.0)


@dataclass
class Seen:
    """A frame that was captured at `at`, with the sender's clock then, and its stamp."""

    kind: TrackKind
    at: float
    clock: float
    arrival: float
    stamp: Stamp


def play(clock: CallClock, tracks: list[Track], seconds: float, seed: int = 0, first: float = 0.0) -> Iterator[Seen]:
    """Send all tracks from `first` to `seconds`; arrivals are in order within a track."""
    rng = random.Random(seed)
    events: list[tuple[float, float, bool, Track]] = []
    for track in tracks:
        arrival = 0.0
        for n in range(round(first * track.fps), round(seconds * track.fps)):
            at = n / track.fps
            if not track.pause.covers(at):
                arrival = max(arrival, track.arrival(at, rng.random() * track.jitter))
                events.append((arrival, at, False, track))
        at = first + rng.random() * track.every
        while track.reports and at < seconds:
            if not (track.pause.covers(at) and track.pause.reports == "none"):
                events.append((track.arrival(at), at, True, track))
            at += track.every * (0.5 + rng.random())
    for arrival, at, is_report, track in sorted(events, key=lambda event: event[0]):
        if is_report:
            ntp = EPOCH + track.clock(at) + rng.random() * track.late
            clock.sender_report(track.kind, ntp, track.rtp(at, True), arrival, track.ssrc)
        else:
            stamp = clock.stamp(track.kind, track.rtp(at), arrival, track.ssrc)
            yield Seen(track.kind, at, track.clock(at), arrival, stamp)


def worst_pairing(seen: list[Seen]) -> float:
    """By how much, in seconds, the two tracks are at most misplaced against each other beyond what they admit to."""
    last: dict[TrackKind, Seen] = {}
    worst = float("-inf")
    for frame in seen:
        last[frame.kind] = frame
        if len(last) == len(KINDS):
            errors = [last[kind].stamp.capture - last[kind].clock for kind in KINDS]
            admitted = sum(last[kind].stamp.uncertainty for kind in KINDS)
            worst = max(worst, abs(errors[0] - errors[1]) - admitted)
    return worst
