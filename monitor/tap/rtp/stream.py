"""Reassembly of one SSRC: packets into frames, which packets are missing, and for how long."""

from __future__ import annotations

from collections import deque

from aiortc.rtcrtpreceiver import NackGenerator
from aiortc.utils import uint16_gte

from monitor.tap.rtp.jitter import JitterBuffer
from monitor.tap.rtp.packet import Packet
from monitor.tap.rtp.payload import PayloadFormat
from monitor.tap.rtp.sent import SentPackets
from monitor.types import TrackKind

MAX_NACKS = 64


class Stream:
    """The jitter buffer of one SSRC, its missing packets and arrivals of frames; times are monotonic seconds."""

    def __init__(self, ssrc: int, kind: TrackKind) -> None:
        self.ssrc = ssrc
        # How long a missing packet is waited for is bounded in seconds, by `hole_age`. So many packets of sound are
        # 0.32 s of the shortest frames (RFC 6716 section 2.1.4), of pictures 0.5 s at 10 Mbit/s.
        self.jitter = JitterBuffer(128, ahead=0) if kind == "audio" else JitterBuffer(512)
        self.sent = SentPackets()
        self.codec: PayloadFormat | None = None
        """The format of the newest packet."""
        self.follows = False
        """Whether nothing was lost between the frame that was taken last and the next."""
        self._nack = NackGenerator() if kind == "video" else None
        self.arrivals: deque[tuple[int, float]] = deque(maxlen=600)
        self._hole: tuple[int, float] | None = None

    def note_sequence(self, packet: Packet) -> bool:
        """Note the sequence number of a packet; returns whether packets before it are now known to be missing."""
        nack = self._nack
        if nack is None:
            return False
        if nack.max_seq is not None and packet.sequence_number == nack.max_seq + 1 and not nack.missing:
            # Nearly every packet takes this short cut.
            nack.max_seq = packet.sequence_number
            return False
        return nack.add(packet)  # type: ignore[arg-type]

    def note_arrival(self, timestamp: int, now: float) -> None:
        """Note when the first packet of a frame came."""
        if not self.arrivals or self.arrivals[-1][0] != timestamp:
            self.arrivals.append((timestamp, now))

    def arrival(self, timestamp: int, now: float) -> float:
        """When the first packet of a frame came; forgets the frames before it."""
        for index, (frame_timestamp, arrival) in enumerate(self.arrivals):
            if frame_timestamp == timestamp:
                for _ in range(index):
                    self.arrivals.popleft()
                return arrival
        return now

    def missing(self) -> list[int]:
        """Missing sequence numbers that are still of use, at most `MAX_NACKS`."""
        head = self.jitter.head
        if self._nack is None or head is None:
            return []
        return sorted(sequence for sequence in self._nack.missing if uint16_gte(sequence, head))[:MAX_NACKS]

    def hole_age(self, now: float) -> float:
        """Seconds since the packet that is missing at the head of the buffer was known to be missing.

        That is when one behind it came, though others may have been waited for before it: waits do not add up.
        """
        hole = self.jitter.hole()
        if hole is None:
            self._hole = None
            return 0.0
        if self._hole is None or self._hole[0] != hole:
            behind = self.jitter.behind_hole()
            self._hole = hole, next((arrival for timestamp, arrival in self.arrivals if timestamp == behind), now)
        return now - self._hole[1]

    def give_up_hole(self) -> None:
        """Give up the frames that the hole at the head of the buffer breaks."""
        self._hole = None
        self.jitter.skip()
