"""How far judging is behind: a participant's lag, for the overload policy, and the age of scores, for the metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from monitor.types import AudioBlock, ClockState, MediaItem, TrackFault, VideoFrame

MAX_AGE_SECONDS = 60.0


class LagMeter:
    """How late the media judged last were, and how many were judged and lost since it was read last."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._in_hand: float | None = None
        self._lag = 0.0
        self._judged = 0
        self._dropped = 0

    def begin(self, items: Sequence[MediaItem], oldest_arrival: float | None = None) -> None:
        """Note that items are about to be judged, and when the oldest arrived, where that is known already."""
        arrivals = (item.stamp.arrival for item in items if not isinstance(item, TrackFault))
        self._in_hand = oldest_arrival if oldest_arrival is not None else next(arrivals, None)

    def finish(self, items: Sequence[MediaItem]) -> None:
        """Note that items were judged."""
        arrivals = [item.stamp.arrival for item in items if not isinstance(item, TrackFault)]
        self._in_hand = None
        self._lag = self._clock() - arrivals[-1] if arrivals else 0.0
        self._judged += len(arrivals)

    def read(self, dropped_total: int) -> tuple[float, int, int]:
        """Return the lag in seconds, and the items judged and dropped since this was last read."""
        lag = self._lag if self._in_hand is None else max(self._lag, self._clock() - self._in_hand)
        dropped, self._dropped = dropped_total - self._dropped, dropped_total
        judged, self._judged = self._judged, 0
        return lag, judged, dropped


class AgeMeter:
    """From capture to decision in seconds, on the sender's clock."""

    def __init__(self) -> None:
        self._transit: float | None = None

    def note(self, items: Sequence[MediaItem]) -> None:
        """Take the distance from the sender's clock to ours, transit included: the smallest among the items."""
        stamps = [item.stamp for item in items if isinstance(item, VideoFrame | AudioBlock)]
        mapped = [stamp.arrival - stamp.capture for stamp in stamps if stamp.state is ClockState.MAPPED]
        self._transit = min(mapped, default=self._transit)

    def age(self, capture: float | None, decided_at: float) -> float | None:
        """Return the age of a score; None where the sender's clock is not known, or has just changed."""
        if capture is None or self._transit is None:
            return None
        age = decided_at - capture - self._transit
        return age if 0.0 <= age < MAX_AGE_SECONDS else None
