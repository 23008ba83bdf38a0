"""Reassembly of one SSRC: packets into frames, what is missing of them, and for how long it has been."""

from __future__ import annotations

from collections import deque

from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtcrtpreceiver import NackGenerator
from aiortc.utils import uint16_gte

from monitor.types import TrackKind

MAX_NACKS = 64


class Stream:
    """Reassembly of one SSRC."""

    def __init__(self, ssrc: int, kind: TrackKind) -> None:
        self.ssrc = ssrc
        self.jitter = (
            JitterBuffer(capacity=16, prefetch=4) if kind == "audio" else JitterBuffer(capacity=512, is_video=True)
        )
        self.nack = NackGenerator() if kind == "video" else None
        self.arrivals: deque[tuple[int, float]] = deque(maxlen=600)
        self.hole: tuple[int, float] | None = None

    def arrived(self, timestamp: int, now: float) -> None:
        """Note when the first packet of a frame came."""
        if not self.arrivals or self.arrivals[-1][0] != timestamp:
            self.arrivals.append((timestamp, now))

    def arrival(self, timestamp: int, now: float) -> float:
        """When the first packet of a frame came; forgets the frames before it."""
        for index, (seen, at) in enumerate(self.arrivals):
            if seen == timestamp:
                for _ in range(index):
                    self.arrivals.popleft()
                return at
        return now

    def missing(self) -> list[int]:
        """Sequence numbers that are still of use."""
        origin = self.jitter._origin
        if self.nack is None or origin is None:
            return []
        return sorted(seq for seq in self.nack.missing if uint16_gte(seq, origin))[:MAX_NACKS]

    def stands(self, now: float) -> float:
        """Seconds for which the same packet has been missing at the head of the buffer."""
        hole = self._hole()
        if hole is None:
            self.hole = None
            return 0.0
        if self.hole is None or self.hole[0] != hole[0]:
            self.hole = hole[0], now
        return now - self.hole[1]

    def skip(self) -> None:
        """Give up the frames that the hole at the head of the buffer breaks."""
        hole = self._hole()
        self.hole = None
        if hole is not None and self.jitter.smart_remove(hole[1]):
            self.jitter._origin = None

    def _hole(self) -> tuple[int, int] | None:
        """First missing sequence number with packets after it, and how many slots lie before those packets."""
        jitter, first = self.jitter, None
        if jitter._origin is None:
            return None
        for count in range(jitter.capacity):
            present = jitter._packets[(jitter._origin + count) % jitter.capacity] is not None
            if not present and first is None:
                first = (jitter._origin + count) % 65536
            elif present and first is not None:
                return first, count
        return None
