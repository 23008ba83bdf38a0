"""What bandwidth there seems to be, for the sender to keep to (REMB): aiortc's estimator, asked once a burst.

The estimator itself puts packets into groups of 5 ms by when they were sent (draft-ietf-rmcat-gcc-02 section 5.2); they
are put together here before it sees them. What it says is told once a second, and sooner where it falls.
"""

from __future__ import annotations

from aiortc.rate import RemoteBitrateEstimator

GROUP = round(0.005 * (1 << 18))
GROUP_MS = 5
TELL_SECONDS = 1.0
FALL_SECONDS = 0.2
FALL = 0.97


class Estimate:
    """Takes absolute send times and says now and then what to tell."""

    def __init__(self) -> None:
        self._estimator = RemoteBitrateEstimator()
        self._first: tuple[int, int] | None = None
        self._last = (0, 0)
        self._size = 0
        self._told: tuple[int, float] | None = None

    def add(self, sent: int, size: int, now: float) -> int | None:
        """Take a packet sent at `sent` (2^-18 s, 24 bits) of `size` bytes; give the bits a second to tell, or None."""
        arrival = int(now * 1000)
        bitrate = None
        if self._first is not None and not self._joins(sent, arrival):
            # One SSRC for all: the estimator keeps an entry for each that it is told.
            (at, came), size_of_burst = self._last, self._size
            found = self._estimator.add(abs_send_time=at, arrival_time_ms=came, payload_size=size_of_burst, ssrc=0)
            bitrate = found[0] if found is not None else None
            self._first = None
        if self._first is None:
            self._first, self._size = (sent, arrival), 0
        self._last = sent, arrival
        self._size += size
        return self._worth_telling(bitrate, now) if bitrate is not None else None

    def _joins(self, sent: int, arrival: int) -> bool:
        first = self._first or (sent, arrival)
        return (sent - first[0] & 0xFFFFFF) <= GROUP and arrival - first[1] <= GROUP_MS

    def _worth_telling(self, bitrate: int, now: float) -> int | None:
        if self._told is not None:
            told, at = self._told
            wait = FALL_SECONDS if bitrate < FALL * told else TELL_SECONDS
            if now - at < wait:
                return None
        self._told = bitrate, now
        return bitrate
