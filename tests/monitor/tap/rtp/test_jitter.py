"""Reassembly gives what aiortc's buffer gives, whatever is lost, late or repeated, and never holds more than it may."""

from __future__ import annotations

import random

import pytest
from aiortc.jitterbuffer import JitterBuffer as Reference
from aiortc.rtp import RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from monitor.tap.rtp.jitter import JitterBuffer


class Both:
    """The same packets through both buffers."""

    def __init__(self, capacity: int, ahead: int) -> None:
        self.ours = JitterBuffer(capacity, ahead)
        self.theirs = Reference(capacity, ahead if ahead > 1 else 0, is_video=True)
        self.frames: list[tuple[int, bytes]] = []

    def add(self, sequence: int, timestamp: int) -> None:
        data = sequence.to_bytes(2, "big")
        packet = RtpPacket(sequence_number=sequence, timestamp=timestamp)
        vars(packet)["_data"] = data
        broken = self.ours.add(sequence, timestamp, data)
        wanted, frame = self.theirs.add(packet)
        assert broken == wanted
        while frame is not None:
            assert self.ours.pop() == (frame.timestamp, frame.data)
            self.frames.append((frame.timestamp, frame.data))
            frame = self.theirs._remove_frame(sequence)
        assert self.ours.pop() is None
        self.compare()

    def compare(self) -> None:
        assert self.ours.head == self.theirs._origin
        held = [None if packet is None else (packet.timestamp, packet._data) for packet in self.theirs._packets]  # type: ignore[attr-defined]
        assert [slot and slot[:2] for slot in self.ours._slots] == held
        assert self.ours.hole() == (self.hole() or (None,))[0]

    def hole(self) -> tuple[int, int] | None:
        """The first sequence number without a packet that has some after it, and how many slots lie before those."""
        packets, origin, first = self.theirs._packets, self.theirs._origin, None
        if origin is None:
            return None
        for count in range(self.theirs.capacity):
            present = packets[(origin + count) % self.theirs.capacity] is not None
            if not present and first is None:
                first = (origin + count) % 65536
            elif present and first is not None:
                return first, count
        return None

    def skip(self) -> None:
        hole = self.hole()
        if hole is not None and self.theirs.smart_remove(hole[1]):
            self.theirs._origin = None
        self.ours.skip()
        assert self.ours.head == self.theirs._origin
        # What was whole behind the hole; aiortc gives it with the next packet that it keeps.
        while self.theirs._origin is not None and (frame := self.theirs._remove_frame(0)) is not None:
            assert self.ours.pop() == (frame.timestamp, frame.data)
        assert self.ours.pop() is None
        self.compare()


STEPS = st.lists(
    st.one_of(
        st.just(("next", 1)),
        st.just(("next", 1)),
        st.just(("next", 1)),
        st.tuples(st.just("lost"), st.integers(1, 3)),
        st.tuples(st.just("late"), st.integers(1, 20)),
        st.tuples(st.just("jump"), st.integers(-300, 300)),
        st.just(("skip", 0)),
    ),
    min_size=1,
    max_size=120,
)


@given(STEPS, st.sampled_from([(16, 4), (16, 1), (64, 1)]), st.integers(1, 9), st.sampled_from([0, 65500, 30000]))
def test_it_is_the_buffer_that_aiortc_has(
    steps: list[tuple[str, int]], size: tuple[int, int], per_frame: int, first: int
) -> None:
    both, newest = Both(*size), first
    for what, count in steps:
        if what == "skip":
            both.skip()
            continue
        at = newest - count if what == "late" else newest + count
        newest = newest if what == "late" else at
        both.add(at % 65536, at // per_frame * 3000 % 2**32)


def test_frames_come_whole_and_in_order() -> None:
    buffer = JitterBuffer(16)
    for sequence in (65534, 0, 65535, 1, 2):
        buffer.add(sequence, sequence // 65534, bytes([sequence % 256]))
    assert buffer.pop() == (1, b"\xfe\xff")
    assert buffer.pop() is None
    assert (buffer.head, buffer.hole()) == (0, None)


def test_a_hole_that_is_given_up_takes_its_frame_along() -> None:
    buffer = JitterBuffer(16)
    for sequence in (0, 2, 3, 4, 5):
        buffer.add(sequence, sequence // 3, b"%d" % sequence)
    assert buffer.hole() == 1
    buffer.skip()
    assert (buffer.head, buffer.hole(), buffer.pop()) == (3, None, None)
    buffer.skip()
    assert buffer.head == 3
    buffer.add(6, 2, b"6")
    assert buffer.pop() == (1, b"345")


def test_where_nothing_is_whole_behind_a_hole_it_starts_over() -> None:
    buffer = JitterBuffer(16)
    buffer.skip()
    buffer.add(0, 0, b"0")
    buffer.add(2, 0, b"2")
    buffer.skip()
    assert (buffer.head, buffer.hole(), buffer.pop()) == (None, None, None)
    assert not buffer.add(9, 1, b"9")
    assert buffer.head == 9


def test_what_does_not_fit_takes_the_oldest_frames_along() -> None:
    buffer = JitterBuffer(16)
    for sequence in (0, 2, 4, 5, 6, 7):
        buffer.add(sequence, sequence // 4, b"%d" % sequence)
    assert buffer.add(18, 4, b"18")
    assert (buffer.head, buffer.hole()) == (4, 8)
    assert buffer.add(400, 100, b"400")
    assert (buffer.head, buffer.hole()) == (400, None)


def test_a_frame_that_says_where_it_ends_waits_for_nothing() -> None:
    buffer, whole = JitterBuffer(16), list[bytes]()
    for sequence in range(9):
        buffer.add(sequence, sequence // 3, b"%d" % sequence, ends=sequence % 3 == 2)
        whole += drained(buffer)
        assert len(whole) == (sequence + 1) // 3
    assert whole == [b"012", b"345", b"678"]


def test_a_frame_whose_end_was_lost_ends_where_the_timestamp_changes() -> None:
    buffer = JitterBuffer(16)
    for sequence in (0, 1, 3, 4, 5, 6):
        buffer.add(sequence, sequence // 3, b"%d" % sequence, ends=sequence % 3 == 2)
    assert (drained(buffer), buffer.hole()) == ([], 2)
    buffer.skip()
    assert (drained(buffer), buffer.head) == ([b"345"], 6)
    for sequence, ends in ((8, True), (9, False), (7, False)):
        buffer.add(sequence, sequence // 3, b"%d" % sequence, ends)
    assert (drained(buffer), buffer.head) == ([b"678"], 9)


def test_a_sender_that_marks_every_packet_is_not_believed_for_long() -> None:
    buffer = JitterBuffer(16)
    for sequence in range(10):
        buffer.add(sequence, sequence // 3, b"%d" % sequence, ends=True)
    assert drained(buffer) == [b"0", b"12", b"345", b"678"]


def test_padding_after_the_end_of_a_frame_belongs_to_it() -> None:
    buffer, whole = JitterBuffer(16), list[bytes]()
    packets = [(0, b"a", False), (0, b"b", True), (0, b"", False), (0, b"", False), (1, b"c", True), (2, b"d", True)]
    for sequence, (timestamp, data, ends) in enumerate(packets):
        buffer.add(sequence, timestamp, data, ends)
        whole += drained(buffer)
    assert [data for data in whole if data] == [b"ab", b"c", b"d"]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=30), st.sampled_from([0, 65530]), st.integers(0, 2**32))
def test_frames_are_the_same_with_and_without_marks_in_any_order(sizes: list[int], first: int, seed: int) -> None:
    """Nothing is lost and nothing comes too late: the marks make frames sooner and no other."""
    draw = random.Random(seed).uniform
    packets = [(n, index == size - 1) for n, size in enumerate(sizes) for index in range(size)]
    numbered = [((first + k) % 65536, timestamp, ends) for k, (timestamp, ends) in enumerate(packets)]
    order = [packet for _, packet in sorted((k + draw(0, 9) * (k > 0), packet) for k, packet in enumerate(numbered))]
    frames: list[list[bytes]] = []
    for marked in (False, True):
        buffer = JitterBuffer(256)
        for sequence, timestamp, ends in order:
            buffer.add(sequence, timestamp, sequence.to_bytes(2, "big"), ends and marked)
        frames.append(drained(buffer))
    without, with_marks = frames
    assert with_marks[:-1] == without
    assert len(with_marks) == len(sizes)


def drained(buffer: JitterBuffer) -> list[bytes]:
    return [frame[1] for frame in iter(buffer.pop, None)]


def test_where_every_packet_is_a_frame_it_is_due_as_soon_as_it_is_in_order() -> None:
    buffer = JitterBuffer(16, ahead=0)
    for sequence in (65534, 65535, 0):
        buffer.add(sequence, 7, bytes([sequence % 256]))
        assert drained(buffer) == [bytes([sequence % 256])]
    buffer.add(2, 8, b"2")
    assert (drained(buffer), buffer.hole()) == ([], 1)
    buffer.add(1, 8, b"1")
    assert (drained(buffer), buffer.hole()) == ([b"1", b"2"], None)


def test_where_every_packet_is_a_frame_a_hole_takes_no_other_along() -> None:
    buffer = JitterBuffer(16, ahead=0)
    for sequence in (0, 2, 3, 5):
        buffer.add(sequence, 7, b"%d" % sequence)
    assert drained(buffer) == [b"0"]
    buffer.skip()
    assert (drained(buffer), buffer.hole()) == ([b"2", b"3"], 4)
    assert buffer.add(4 + 16, 8, b"20")
    assert drained(buffer) == [b"5"]


@given(st.permutations(range(12)), st.sampled_from([0, 65530, 65500]))
def test_where_every_packet_is_a_frame_any_order_comes_out_in_order(order: list[int], first: int) -> None:
    buffer, out = JitterBuffer(16, ahead=0), list[bytes]()
    for place in (-1, *order):
        buffer.add((first + place) % 65536, 960 * place % 2**32, b"%d" % place)
        out += drained(buffer)
    assert out == [b"%d" % place for place in range(-1, 12)]


def test_a_capacity_must_divide_the_sequence_numbers() -> None:
    for capacity in (0, 12):
        with pytest.raises(ValueError, match="power of 2"):
            JitterBuffer(capacity)
