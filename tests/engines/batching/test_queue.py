"""The policy of batching: who leaves when and with whom, who is dropped and why; nobody gets another's rows."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.base import EngineError, InputError
from engines.batching.queue import (
    LIVELY_SECONDS,
    WAITS_SECONDS,
    Batch,
    BatchConfig,
    BatchLoad,
    BatchQueue,
    Drop,
    Dropped,
    Slot,
    gather,
    scatter,
)

SMALL = BatchConfig(buckets=(1, 2, 4), max_delay=0.01, patience=0.5, capacity=8)


def offer(queue: BatchQueue, owner: str, now: float, rows: int = 1, length: int | None = None) -> Slot:
    slot, dropped = queue.offer(owner, rows, length, now)
    assert not dropped
    return slot


def taken(queue: BatchQueue, now: float) -> list[Slot] | None:
    batch = queue.take(now)
    return None if batch is None else list(batch.slots)


def test_a_lone_owner_does_not_wait() -> None:
    queue = BatchQueue(SMALL)
    assert queue.take(0.0) is None
    assert queue.due() is None
    first = offer(queue, "ada", 1.0)
    assert taken(queue, 1.0) == [first]
    assert queue.take(1.0) is None


def test_somebody_who_asked_lately_is_waited_for_but_not_for_long() -> None:
    queue = BatchQueue(SMALL)
    offer(queue, "bob", 0.0)
    queue.take(0.0)
    ada = offer(queue, "ada", 0.005)
    assert queue.take(0.010) is None
    assert queue.due() == pytest.approx(0.015)
    assert taken(queue, 0.015) == [ada]


def test_everybody_who_is_there_leaves_at_once() -> None:
    queue = BatchQueue(SMALL)
    offer(queue, "bob", 0.0)
    queue.take(0.0)
    ada, bob = offer(queue, "ada", 0.005), offer(queue, "bob", 0.006)
    assert taken(queue, 0.006) == [ada, bob]


def test_whoever_has_not_asked_for_long_is_not_waited_for() -> None:
    queue = BatchQueue(SMALL)
    offer(queue, "bob", 0.0)
    queue.take(0.0)
    ada = offer(queue, "ada", LIVELY_SECONDS + 0.001)
    assert taken(queue, LIVELY_SECONDS + 0.001) == [ada]


def test_a_full_batch_waits_for_nobody() -> None:
    queue = BatchQueue(SMALL)
    offer(queue, "bob", 0.0)
    queue.take(0.0)
    slots = [offer(queue, "ada", 0.001) for _ in range(5)]
    assert taken(queue, 0.001) == slots[:4]
    assert queue.take(0.001) is None
    assert taken(queue, 0.011) == slots[4:]


def test_only_equal_lengths_are_computed_together() -> None:
    queue = BatchQueue(SMALL)
    short, long = offer(queue, "ada", 0.0, length=5), offer(queue, "bob", 0.0, length=6)
    again = offer(queue, "eve", 0.0, length=5)
    assert taken(queue, 0.0) == [short, again]
    assert taken(queue, 0.01) == [long]


def test_a_length_that_is_not_due_stays_while_another_leaves() -> None:
    queue = BatchQueue(SMALL)
    offer(queue, "away", 0.0)
    queue.take(0.0)
    offer(queue, "ada", 0.009, length=5)
    full = [offer(queue, "bob", 0.009, length=6) for _ in range(4)]
    assert taken(queue, 0.009) == full
    assert queue.take(0.009) is None


def test_a_request_larger_than_any_bucket_leaves_alone_and_smaller_ones_fill_up_what_is_left() -> None:
    queue = BatchQueue(SMALL)
    large, one = offer(queue, "ada", 0.0, rows=6), offer(queue, "bob", 0.0)
    assert taken(queue, 0.0) == [large]
    three, small = offer(queue, "eve", 0.0, rows=4), offer(queue, "joe", 0.0)
    assert taken(queue, 0.0) == [one, small]
    assert taken(queue, 0.0) == [three]


def test_whoever_asks_much_does_not_hold_up_whoever_asks_little() -> None:
    queue = BatchQueue(BatchConfig(buckets=(1,), capacity=100))
    greedy = [offer(queue, "greedy", 0.0) for _ in range(20)]
    assert taken(queue, 0.0) == greedy[:1]
    modest = offer(queue, "modest", 0.0)
    assert modest in [slot for _ in range(2) for slot in taken(queue, 0.01) or []]


def test_credit_is_not_saved_up_while_away() -> None:
    queue = BatchQueue(BatchConfig(buckets=(1,), capacity=100))
    for _ in range(20):
        offer(queue, "busy", 0.0)
    for _ in range(10):
        queue.take(0.01)
    for _ in range(10):
        offer(queue, "back", 0.0)
    order = [slot.owner for _ in range(8) for slot in taken(queue, 0.01) or []]
    assert Counter(order) == {"busy": 4, "back": 4}


@given(st.lists(st.integers(1, 4), min_size=30, max_size=30), st.lists(st.integers(1, 4), min_size=30, max_size=30))
def test_two_who_always_ask_are_served_alike(ada: list[int], bob: list[int]) -> None:
    queue = BatchQueue(BatchConfig(buckets=(1,), capacity=1000))
    for owner, sizes in (("ada", ada), ("bob", bob)):
        for rows in sizes:
            offer(queue, owner, 0.0, rows)
    served: Counter[str] = Counter()
    left = {"ada": len(ada), "bob": len(bob)}
    while all(left.values()):
        for slot in taken(queue, 0.0) or []:
            served[str(slot.owner)] += slot.rows
            left[str(slot.owner)] -= 1
        # Goyal, Vin, Cheng 1996, theorem 1: no further apart than the largest request of each.
        assert abs(served["ada"] - served["bob"]) <= max(ada) + max(bob)


def test_what_waits_too_long_is_dropped_and_counted() -> None:
    queue = BatchQueue(SMALL)
    late, fresh = offer(queue, "ada", 0.0), offer(queue, "bob", 0.2)
    assert queue.expire(0.4) == []
    assert queue.expire(0.5) == [late]
    load = queue.load(0.5)
    assert (load.waiting, load.dropped, load.wait_p95) == (1, {Drop.DEADLINE: 1}, 0.5)
    assert taken(queue, 0.5) == [fresh]


def test_where_there_is_no_room_the_heaviest_gives_way() -> None:
    queue = BatchQueue(SMALL)
    old, newest = offer(queue, "greedy", 0.0, rows=4), offer(queue, "greedy", 0.0, rows=3)
    slot, dropped = queue.offer("modest", 2, None, 0.0)
    assert dropped == (newest,)
    assert taken(queue, 0.0) == [old]
    assert taken(queue, 0.01) == [slot]
    assert queue.load(0.0).dropped == {Drop.QUEUE_FULL: 1}


def test_the_heaviest_is_refused_and_costs_nobody_their_place() -> None:
    queue = BatchQueue(SMALL)
    waiting = [offer(queue, "modest", 0.0), offer(queue, "greedy", 0.0, rows=4), offer(queue, "other", 0.0, rows=3)]
    slot, dropped = queue.offer("greedy", 1, None, 0.0)
    assert dropped == (slot,)
    slot, dropped = queue.offer("huge", 7, None, 0.0)
    assert dropped == (slot,)
    assert queue.load(0.0).waiting == 8
    assert {slot for _ in waiting for slot in taken(queue, 0.0) or []} == set(waiting)


def test_at_the_end_everything_is_let_go_and_that_is_no_overload() -> None:
    queue = BatchQueue(SMALL)
    slots = [offer(queue, "ada", 0.0), offer(queue, "bob", 0.0, rows=2)]
    assert queue.clear(0.1) == slots
    load = queue.load(0.1)
    assert (load.waiting, load.dropped, load.dropped_total) == (0, {Drop.CLOSED: 2}, 0)


def test_the_load_tells_of_late_and_not_of_long_ago() -> None:
    queue = BatchQueue(SMALL)
    offer(queue, "ada", 0.0)
    queue.take(0.2)
    assert queue.load(0.2).wait_p95 == pytest.approx(0.2)
    assert queue.load(0.2 + WAITS_SECONDS + 0.1).wait_p95 == 0.0
    assert queue.load(9.0).batches == queue.load(9.0).rows == 1


def test_loads_of_several_batchers_are_told_as_one() -> None:
    one = BatchLoad(2, 8, 0.1, {Drop.DEADLINE: 1}, 3, 5)
    other = BatchLoad(1, 8, 0.3, {Drop.DEADLINE: 2, Drop.QUEUE_FULL: 4, Drop.CLOSED: 1}, 1, 1)
    joined = BatchLoad.join([one, other])
    assert joined == BatchLoad(3, 16, 0.3, {Drop.DEADLINE: 3, Drop.QUEUE_FULL: 4, Drop.CLOSED: 1}, 4, 6)
    assert joined.dropped_total == 7
    assert BatchLoad.join([]) == BatchLoad()


@pytest.mark.parametrize(
    "wrong",
    [
        {"buckets": ()},
        {"buckets": (0, 1)},
        {"buckets": (2, 1)},
        {"buckets": (1, 1)},
        {"max_delay": -0.1},
        {"max_delay": 0.6},
        {"capacity": 0},
        {"workers": 0},
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        BatchConfig(**wrong)  # type: ignore[arg-type]


def test_a_drop_says_what_to_do_in_one_line() -> None:
    error = Dropped(Drop.DEADLINE)
    assert isinstance(error, EngineError)
    assert not isinstance(error, InputError)
    assert str(error) == "a request was dropped (deadline): take fewer participants, or give the machine more cores"
    assert error.reason is Drop.DEADLINE


def test_rows_that_an_engine_makes_up_or_loses_are_given_to_nobody() -> None:
    queue = BatchQueue(SMALL)
    offer(queue, "ada", 0.0)
    offer(queue, "bob", 0.0)
    batch = queue.take(0.0)
    assert batch is not None
    with pytest.raises(EngineError, match="another number of rows"):
        scatter(batch, {"good": np.zeros((2, 1), np.float32), "bad": np.zeros((3, 1), np.float32)})


class Calls:
    """Owners that ask with their own numbers, as an engine that adds one sees them."""

    def __init__(self, config: BatchConfig) -> None:
        self.queue = BatchQueue(config)
        self.asked: dict[Slot, np.ndarray] = {}
        self.answered: dict[Slot, np.ndarray] = {}
        self.dropped: list[Slot] = []
        self.count = 0

    def ask(self, owner: int, rows: int, length: int, now: float) -> None:
        numbers = np.arange(self.count, self.count + rows, dtype=np.float32)
        self.count += rows
        slot, dropped = self.queue.offer(owner, rows, length, now)
        self.asked[slot] = np.repeat(numbers[:, None], length, 1)
        self.dropped += dropped

    def run(self, batch: Batch) -> None:
        inputs = gather([{"x": self.asked[slot]} for slot in batch.slots])
        assert inputs["x"].shape[0] == batch.rows
        for slot, rows in scatter(batch, {"y": inputs["x"] + 1}):
            assert slot not in self.answered
            self.answered[slot] = rows["y"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ask", "ask", "take", "wait"]),
            st.integers(0, 3),
            st.integers(1, 6),
            st.sampled_from([5, 6]),
            st.floats(0.0, 0.1),
        ),
        max_size=60,
    )
)
def test_however_it_goes_everybody_gets_their_own_rows_once_or_is_told_why_not(
    steps: list[tuple[str, int, int, int, float]],
) -> None:
    calls, now, running = Calls(SMALL), 0.0, list[Batch]()
    for what, owner, rows, length, seconds in steps:
        if what == "ask":
            calls.ask(owner, rows, length, now)
        elif what == "wait":
            now += seconds
            calls.dropped += calls.queue.expire(now)
        elif (batch := calls.queue.take(now)) is not None:
            running.append(batch)
        if len(running) > owner:
            # Batches come back in another order than they left.
            calls.run(running.pop(owner))
        load = calls.queue.load(now)
        assert load.waiting <= SMALL.capacity
        assert load.dropped_total == len(calls.dropped)
    for batch in running:
        calls.run(batch)
    calls.dropped += calls.queue.clear(now)
    assert calls.queue.load(now).waiting == 0
    assert Counter([*calls.answered, *calls.dropped]) == Counter(list(calls.asked))
    for slot, got in calls.answered.items():
        np.testing.assert_array_equal(got, calls.asked[slot] + 1)


def test_nobody_holds_memory_of_anybody_else() -> None:
    calls = Calls(SMALL)
    calls.ask(0, 2, 5, 0.0)
    calls.ask(1, 1, 5, 0.0)
    batch = calls.queue.take(0.0)
    assert batch is not None
    calls.run(batch)
    one, other = calls.answered.values()
    assert one.base is None
    assert other.base is None


def test_what_is_remembered_of_owners_who_left_is_bounded() -> None:
    queue = BatchQueue(SMALL)
    for n in range(1000):
        offer(queue, f"owner {n}", float(n))
        assert queue.take(float(n)) is not None
    assert len(queue._asked) + len(queue._next_turn) <= 2


def simulate(config: BatchConfig, owners: int, service: float, seconds: float = 10.0) -> tuple[BatchLoad, float]:
    """Cameras of 30 pictures a second before an engine that takes `service` seconds a batch, whatever is in it.

    An owner asks again only when answered or dropped, as a session does. Gives the load and the longest wait.
    """
    queue, now, free, longest = BatchQueue(config), 0.0, 0.0, 0.0
    frames = {owner: owner / (30.0 * owners) for owner in range(owners)}
    running: list[Slot] = []
    while now < seconds:
        if running and now >= free:
            for slot in running:
                # A picture that came meanwhile is asked for at once.
                frames[int(str(slot.owner))] = max(now, slot.arrived + 1 / 30)
            running = []
        for owner, due in frames.items():
            if due <= now:
                _, dropped = queue.offer(owner, 1, None, now)
                assert not dropped
                frames[owner] = float("inf")
        for slot in queue.expire(now):
            frames[int(str(slot.owner))] = max(now, slot.arrived + 1 / 30)
        if not running and (batch := queue.take(now)) is not None:
            running, free = list(batch.slots), now + service
            longest = max(longest, *(now - slot.arrived for slot in running))
        now += 0.0005
    return queue.load(now), longest


def test_an_engine_that_is_too_slow_for_one_at_a_time_keeps_up_in_batches() -> None:
    """Eight cameras ask 240 times a second, and a batch takes 6 ms: alone that would be 1.4 s of work a second."""
    together, longest = simulate(BatchConfig(), 8, 0.006)
    alone, _ = simulate(BatchConfig(buckets=(1,)), 8, 0.006)
    assert together.dropped == alone.dropped == {}
    assert together.rows > 0.95 * 240 * 10
    assert alone.rows < 0.75 * 240 * 10
    assert longest <= 0.010 + 0.006 + 0.001


def test_an_engine_that_is_too_slow_for_anything_drops_and_queues_nothing() -> None:
    load, longest = simulate(BatchConfig(patience=0.1, buckets=(1, 2)), 8, 0.08)
    assert load.dropped[Drop.DEADLINE] > 0
    assert load.waiting <= 8
    assert longest <= 0.1
