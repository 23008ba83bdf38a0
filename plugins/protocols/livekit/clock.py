"""The sender's clock in a LiveKit room: from when something plays here to when it was captured. Pure.

The SDK gives pictures the time at which they are due on our monotonic clock, sound none at all, and its jitter buffers
hold both back by as much as they think right, each for itself. Statistics of WebRTC say of each track what time of the
sender's clock is playing now (`estimatedPlayoutTimestamp`, from sender reports): a reading of that every second gives
the distance between both clocks, for each track. While a jitter buffer changes its length the distance moves, and the
uncertainty says by how much.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import median

from monitor.tap.kit import ClockState, Stamp, TrackKind

# Seconds between 1900, where NTP begins, and 1970.
NTP_EPOCH_SECONDS = 2_208_988_800.0
MAX_READINGS = 3
# Without a reading for so long a track is unknown.
MAX_AGE_SECONDS = 10.0
# Of one reading: milliseconds are whole, and so are the blocks of 10 ms in which sound is played.
READING_UNCERTAINTY_SECONDS = 0.02
FIRST_UNCERTAINTY_SECONDS = 0.1
UNKNOWN_UNCERTAINTY_SECONDS = 0.5
MAX_DIFFERENCE_SECONDS = 2.0
# By so much our clock and the sender's may differ at first, before they are taken for others.
MAX_STEP_SECONDS = 4.0
# Sound that comes later than all before it by more than this was not sent meanwhile.
MAX_LATE_SECONDS = 0.5
DRIFT_RATIO = 2e-4


@dataclass(frozen=True, slots=True)
class Playout:
    """At `at`, on our monotonic clock, media were playing that were captured at `capture` on the sender's; seconds."""

    at: float
    capture: float


@dataclass(frozen=True, slots=True)
class RoomClock:
    """Both tracks of a participant on the sender's clock, shifted by a constant to begin near our own.

    Capture time is unknown until both tracks have a reading that is not old, and while these are more than two seconds
    apart.
    """

    readings: Mapping[TrackKind, tuple[Playout, ...]] = field(default_factory=dict)
    shift: float | None = None

    def noted(self, kind: TrackKind, reading: Playout) -> RoomClock:
        """Take a reading; of each track the last few count."""
        kept = (*self.readings.get(kind, ()), reading)[-MAX_READINGS:]
        made = replace(self, readings={**self.readings, kind: kept})
        offsets = [made._offset(one) for one in ("audio", "video")]
        known = [offset for offset in offsets if offset is not None]
        if len(known) < 2:
            return made
        is_near = made.shift is not None and abs(known[1] + made.shift) <= MAX_STEP_SECONDS
        return made if is_near else replace(made, shift=-known[1])

    def forgotten(self, kind: TrackKind) -> RoomClock:
        """Forget the readings of a track that has ended."""
        return replace(self, readings={name: kept for name, kept in self.readings.items() if name != kind})

    def stamp(self, kind: TrackKind, media: float, at: float, arrival: float) -> Stamp:
        """Stamp what plays at `at` here: see `Stamp`, all in seconds."""
        offset = self._offset(kind)
        if offset is None or self.shift is None or not self._agrees(arrival):
            return Stamp(media, at, UNKNOWN_UNCERTAINTY_SECONDS, ClockState.UNKNOWN, arrival)
        move = offset + self.shift
        return Stamp(media, at + move, self._uncertainty(kind), ClockState.MAPPED, arrival, -move)

    def _offset(self, kind: TrackKind) -> float | None:
        readings = self.readings.get(kind)
        return median(one.capture - one.at for one in readings) if readings else None

    def _uncertainty(self, kind: TrackKind) -> float:
        offsets = [one.capture - one.at for one in self.readings[kind]]
        if len(offsets) == 1:
            return FIRST_UNCERTAINTY_SECONDS
        return READING_UNCERTAINTY_SECONDS + max(offsets) - min(offsets)

    def _agrees(self, now: float) -> bool:
        if len(self.readings) < 2 or any(now - kept[-1].at > MAX_AGE_SECONDS for kept in self.readings.values()):
            return False
        offsets = [self._offset(kind) or 0.0 for kind in self.readings]
        return max(offsets) - min(offsets) <= MAX_DIFFERENCE_SECONDS


@dataclass(frozen=True, slots=True)
class SoundClock:
    """When blocks of sound play that come one after the other, with no time of their own.

    `media` is how many seconds of sound there have been, pauses included, `origin` when the first of them played.
    """

    media: float = 0.0
    origin: float | None = None
    heard: float = 0.0

    def placed(self, seconds: float, arrival: float) -> tuple[float, float, SoundClock]:
        """Take a block that has been played when it arrives; gives its media time, when it began to play, and the rest.

        Blocks only come late: the earliest says when they were played. One that is later than `MAX_LATE_SECONDS` comes
        after a pause.
        """
        began = arrival - seconds
        if self.origin is None:
            return 0.0, began, SoundClock(seconds, began, arrival)
        origin = self.origin + DRIFT_RATIO * max(arrival - self.heard, 0.0)
        late = began - (origin + self.media)
        media = self.media + late if late > MAX_LATE_SECONDS else self.media
        origin = min(origin, began - media)
        return media, origin + media, SoundClock(media + seconds, origin, arrival)


def playout(estimated_ms: float, wall: float, monotonic: float) -> Playout | None:
    """Return a reading of the statistics: NTP milliseconds that play now; None where no sender report has come.

    `wall` is the time of the statistics in seconds since 1970, and `monotonic` the same on our monotonic clock.
    """
    capture = estimated_ms / 1000.0 - NTP_EPOCH_SECONDS
    if not 0.0 < estimated_ms < 1e15 or wall <= 0.0:
        return None
    return Playout(monotonic, capture)
