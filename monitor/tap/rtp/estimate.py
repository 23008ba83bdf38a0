"""The receiver's estimate of bandwidth for REMB: aiortc's estimator, asked once a burst.

The estimator groups packets that were sent within 5 ms (draft-ietf-rmcat-gcc-02 section 5.2); here they are grouped
before it sees them, which gives the same estimate at a fraction of the calls. It is sent once a second, and sooner
where it falls.
"""

from __future__ import annotations

from aiortc.rate import RemoteBitrateEstimator

BURST_MS = 5
# The same in units of the absolute send time, 2^-18 s.
BURST_SEND_TIME = round(0.005 * (1 << 18))
REMB_INTERVAL_SECONDS = 1.0
REMB_FALL_INTERVAL_SECONDS = 0.2
REMB_FALL_RATIO = 0.97


class BandwidthEstimate:
    """Takes the absolute send times of packets and returns, now and then, a bitrate to send."""

    def __init__(self) -> None:
        self._estimator = RemoteBitrateEstimator()
        self._first: tuple[int, int] | None = None
        self._last = (0, 0)
        self._size = 0
        self._last_remb: tuple[int, float] | None = None

    def add(self, sent: int, size: int, now: float) -> int | None:
        """Take a packet sent at `sent` (2^-18 s, 24 bits) of `size` bytes; returns bits a second to send, or None."""
        arrival = int(now * 1000)
        bitrate = None
        if self._first is not None and not self._same_burst(sent, arrival):
            # One SSRC for all: the estimator keeps an entry for each that it sees.
            (send_time, arrival_ms), size_of_burst = self._last, self._size
            result = self._estimator.add(
                abs_send_time=send_time, arrival_time_ms=arrival_ms, payload_size=size_of_burst, ssrc=0
            )
            bitrate = result[0] if result is not None else None
            self._first = None
        if self._first is None:
            self._first, self._size = (sent, arrival), 0
        self._last = sent, arrival
        self._size += size
        return self._due(bitrate, now) if bitrate is not None else None

    def _same_burst(self, sent: int, arrival: int) -> bool:
        first = self._first or (sent, arrival)
        return (sent - first[0] & 0xFFFFFF) <= BURST_SEND_TIME and arrival - first[1] <= BURST_MS

    def _due(self, bitrate: int, now: float) -> int | None:
        if self._last_remb is not None:
            last_bitrate, sent_at = self._last_remb
            wait = REMB_FALL_INTERVAL_SECONDS if bitrate < REMB_FALL_RATIO * last_bitrate else REMB_INTERVAL_SECONDS
            if now - sent_at < wait:
                return None
        self._last_remb = bitrate, now
        return bitrate
