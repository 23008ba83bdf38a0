"""A jitter buffer: packets of one SSRC reordered into frames, with a bound on how many wait. Pure.

Frames end where a packet says so or the timestamp changes, or with every packet. Packets in order from the head on are
counted as they come, so that each costs the same however large its frame is.
"""

from __future__ import annotations

from collections import deque

_MISORDER = 100
_MASK = 0xFFFF


class JitterBuffer:
    """Holds at most `capacity` packets (a power of 2); a frame is due once `ahead` whole ones are there in order.

    With `ahead` 0 every packet is a frame, as of Opus (RFC 7587 section 4.2), and due as soon as it is in order:
    whoever waits for packets waits for seconds where the sender pauses.
    """

    def __init__(self, capacity: int, ahead: int = 1) -> None:
        if capacity < 1 or 0x10000 % capacity:
            raise ValueError(f"a capacity of {capacity} does not divide the sequence numbers: give a power of 2")
        self._slots: list[tuple[int, bytes, bool] | None] = [None] * capacity
        self._capacity, self._ahead = capacity, ahead
        self._head: int | None = None
        # Slots from the head to the newest packet, and those of them that are filled without a gap.
        self._span = 0
        self._run = 0
        # Lengths of the whole frames in the run, where the one behind them begins, and the last timestamp of the run.
        self._frames: deque[int] = deque()
        self._open = self._stamp = 0
        # Whether the last packet of the run ended a frame, and whether what packets say of that has been right so far.
        self._ended, self._are_marked = False, True

    @property
    def head(self) -> int | None:
        """Sequence number that is due next; None before the first packet and after everything was given up."""
        return self._head

    def add(self, sequence: int, timestamp: int, data: bytes, ends: bool = False) -> bool:
        """Take a packet; returns whether packets had to be given up, so that a picture is missing.

        `ends` is the marker of RTP: the frame ends with this packet, and need not wait for the one after it. Duplicates
        and packets that come too late are dropped.
        """
        if self._head is None:
            self._head = sequence
        delta, broken = sequence - self._head & _MASK, False
        if delta > 0x8000:
            if 0x10000 - delta < _MISORDER:
                return False
            self._clear(sequence)
            delta, broken = 0, True
        elif delta >= self._capacity:
            self._drop(delta - self._capacity + 1)
            if self._head is None:
                self._head = sequence
            delta, broken = sequence - self._head & _MASK, True
        slot = sequence % self._capacity
        if self._slots[slot] is None:
            self._slots[slot] = timestamp, data, ends
            self._span = max(self._span, delta + 1)
            if delta == self._run:
                self._count()
        return broken

    def pop(self) -> tuple[int, bytes] | None:
        """Return the next frame, timestamp and data, if it is whole and enough packets follow it."""
        if len(self._frames) < max(self._ahead, 1) or self._head is None:
            return None
        length, first, slots = self._frames.popleft(), self._head % self._capacity, self._slots
        places = [offset % self._capacity for offset in range(first, first + length)]
        packets = [packet for packet in (slots[place] for place in places) if packet is not None]
        for place in places:
            slots[place] = None
        self._head = self._head + length & _MASK
        self._run, self._span, self._open = self._run - length, self._span - length, self._open - length
        return packets[0][0], b"".join([packet[1] for packet in packets])

    def hole(self) -> int | None:
        """Return the first missing sequence number before packets that are there, None where there is none."""
        return self._head + self._run & _MASK if self._head is not None and self._run < self._span else None

    def behind_hole(self) -> int | None:
        """Return the timestamp of the first packet behind the hole at the head, None where there is no hole."""
        if self._head is None or self._run >= self._span:
            return None
        waiting = (self._slots[(self._head + offset) % self._capacity] for offset in range(self._run, self._span))
        return next((packet[0] for packet in waiting if packet is not None), None)

    def skip(self) -> None:
        """Give up the frames that the hole at the head breaks; nothing where there is none."""
        if self._head is None or self._run >= self._span:
            return
        offset = self._run
        while self._slots[(self._head + offset) % self._capacity] is None:
            offset += 1
        self._drop(offset)

    def _drop(self, count: int) -> None:
        """Give up `count` slots, and what follows of a frame that is then no longer whole."""
        head, timestamp = self._head or 0, None
        for offset in range(self._capacity):
            packet = self._slots[(head + offset) % self._capacity]
            if packet is not None:
                if offset >= count and (timestamp != packet[0] or not self._ahead):
                    self._head = head + offset & _MASK
                    self._span -= offset
                    self._recount()
                    return
                timestamp = packet[0]
            self._slots[(head + offset) % self._capacity] = None
        self._clear(None)

    def _clear(self, head: int | None) -> None:
        self._slots = [None] * self._capacity
        self._head, self._span = head, 0
        self._recount()

    def _recount(self) -> None:
        self._frames.clear()
        self._run = self._open = 0
        self._ended = False
        self._count()

    def _count(self) -> None:
        """Extend the run as far as packets are there."""
        head, slots, capacity = self._head or 0, self._slots, self._capacity
        while self._run < self._span:
            packet = slots[(head + self._run) % capacity]
            if packet is None:
                return
            timestamp, data, ends = packet
            if self._ahead and self._run > self._open and timestamp != self._stamp:
                self._close()
            if self._ended and timestamp == self._stamp and data:
                # A sender that marks packets within a frame: its frames end where the timestamp changes.
                self._are_marked = False
            self._stamp = timestamp
            self._run += 1
            self._ended = ends and self._are_marked
            if self._ended or not self._ahead:
                self._close()

    def _close(self) -> None:
        """End the frame that is open."""
        self._frames.append(self._run - self._open)
        self._open = self._run
