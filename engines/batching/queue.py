"""Who is computed together, and who not at all: the policy of batching, without threads and without a clock.

Requests of several owners wait here until they leave as a batch. A batch leaves when it is full, when the first in it
has waited `max_delay`, or when everybody who has lately asked is in it, so that waiting on would bring nobody. Owners
share by start-time fair queueing (Goyal, Vin, Cheng 1996): of two that always have something waiting, none gets more
than one request of each ahead. What cannot be served in time is dropped with a counted reason; nothing waits unbounded.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter, deque
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from engines.base import Arrays, EngineError, FloatArray
from engines.runtimes.buckets import BUCKETS

# Whoever has asked within this many seconds may ask again within the delay: they are worth waiting for.
LIVELY_SECONDS = 0.25
# Waits behind the 95th percentile of `BatchLoad`: so many at most, and none older.
WAITS, WAITS_SECONDS = 512, 5.0


class Drop(StrEnum):
    """Why a request was not computed."""

    DEADLINE = "deadline"
    QUEUE_FULL = "queue_full"
    CLOSED = "closed"


class Dropped(EngineError):  # noqa: N818 - a refusal, not a failure
    """A request was not computed; `reason` says why. Nothing is wrong with the engine or with the input."""

    def __init__(self, reason: Drop) -> None:
        super().__init__(f"a request was dropped ({reason}): take fewer participants, or give the machine more cores")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class BatchConfig:
    """How requests are batched; raises `ValueError` for what cannot be.

    `buckets` are the batch sizes that the engine has compiled, ascending: no batch has more rows than the last, except
    one request that is larger itself. A request that has waited `patience` seconds is dropped, and no more than
    `capacity` rows wait. `workers` threads run batches at the same time.
    """

    buckets: tuple[int, ...] = BUCKETS
    max_delay: float = 0.010
    patience: float = 0.5
    capacity: int = 256
    workers: int = 1

    def __post_init__(self) -> None:
        if not self.buckets or self.buckets[0] < 1 or list(self.buckets) != sorted(set(self.buckets)):
            raise ValueError("buckets must be positive and ascending")
        if not 0.0 <= self.max_delay <= self.patience:
            raise ValueError("max_delay must lie between 0 and patience")
        if self.capacity < 1 or self.workers < 1:
            raise ValueError("capacity and workers must be at least 1")


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """A place in the queue, of one owner and equal to itself only; times are those that the queue was given.

    `length` is that of the free axes: only requests of the same length are computed together. `turn` orders owners
    fairly, the smallest first.
    """

    owner: Hashable
    rows: int
    length: int | None
    arrived: float
    deadline: float
    turn: float


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Slots that are computed together, of one length, in the order of their rows."""

    slots: tuple[Slot, ...]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(slot.rows for slot in self.slots)

    def spans(self) -> Iterator[tuple[Slot, slice]]:
        """Give each slot with the rows that are its own."""
        at = 0
        for slot in self.slots:
            yield slot, slice(at, at + slot.rows)
            at += slot.rows


@dataclass(frozen=True, slots=True)
class BatchLoad:
    """How a batcher is doing: for admission control and metrics.

    `waiting` of at most `capacity` rows wait now; `wait_p95` is in seconds, of what was begun or dropped lately, 0.0
    when nothing was. `dropped`, `batches` and `rows` count from the start and only grow.
    """

    waiting: int = 0
    capacity: int = 0
    wait_p95: float = 0.0
    dropped: Mapping[Drop, int] = field(default_factory=dict)
    batches: int = 0
    rows: int = 0

    @property
    def dropped_total(self) -> int:
        """All that was dropped because this machine is too slow: not what was let go at the end."""
        return sum(count for reason, count in self.dropped.items() if reason is not Drop.CLOSED)

    @staticmethod
    def join(loads: Iterable[BatchLoad]) -> BatchLoad:
        """Combine the load of several batchers: sums, and the longest wait."""
        batchers = list(loads)
        dropped: Counter[Drop] = Counter()
        for load in batchers:
            dropped.update(load.dropped)
        return BatchLoad(
            sum(load.waiting for load in batchers),
            sum(load.capacity for load in batchers),
            max((load.wait_p95 for load in batchers), default=0.0),
            dict(dropped),
            sum(load.batches for load in batchers),
            sum(load.rows for load in batchers),
        )


class BatchQueue:
    """What waits, and in which order it leaves; not thread-safe. Every time is given and never steps back."""

    def __init__(self, config: BatchConfig | None = None) -> None:
        self._config = config or BatchConfig()
        # In the order of their turns, which for one owner is the order in which they came.
        self._waiting: list[Slot] = []
        self._rows = 0
        self._turn = 0.0
        self._next_turn: dict[Hashable, float] = {}
        self._asked: dict[Hashable, float] = {}
        self._waits: deque[tuple[float, float]] = deque(maxlen=WAITS)
        self._dropped: Counter[Drop] = Counter()
        self._batches = self._served = 0

    def offer(self, owner: Hashable, rows: int, length: int | None, now: float) -> tuple[Slot, tuple[Slot, ...]]:
        """Let a request wait; gives its slot, and the slots that are dropped for it, perhaps its own.

        Where there is no room, whoever has the most rows waiting gives way.
        """
        self._asked[owner] = now
        turn = max(self._turn, self._next_turn.get(owner, 0.0))
        slot = Slot(owner, rows, length, now, now + self._config.patience, turn)
        victims = self._room_for(slot)
        for victim in victims:
            if victim is not slot:
                self._remove(victim)
            self._count(victim, Drop.QUEUE_FULL, now)
        if slot not in victims:
            self._next_turn[owner] = turn + rows
            insort(self._waiting, slot, key=lambda waiting: waiting.turn)
            self._rows += rows
        return slot, victims

    def take(self, now: float) -> Batch | None:
        """Give the next batch, None while it is better to wait; call `expire` before."""
        lead = self._lead(now)
        if lead is None:
            return None
        chosen, room = [], max(self._config.buckets[-1], lead.rows)
        for slot in self._waiting:
            # What fits rides along: it delays nobody, and what does not fit is first in turn the next time.
            if slot.length == lead.length and slot.rows <= room:
                chosen.append(slot)
                room -= slot.rows
        for slot in chosen:
            self._remove(slot)
            self._waits.append((now, now - slot.arrived))
        self._batches += 1
        self._served += sum(slot.rows for slot in chosen)
        self._advance(lead)
        return Batch(tuple(chosen))

    def expire(self, now: float) -> list[Slot]:
        """Drop what has waited too long; gives the slots."""
        late = [slot for slot in self._waiting if slot.deadline <= now]
        for slot in late:
            self._remove(slot)
            self._count(slot, Drop.DEADLINE, now)
        return late

    def clear(self, now: float) -> list[Slot]:
        """Drop everything, because nobody will compute it any more; gives the slots."""
        slots, self._waiting, self._rows = self._waiting, [], 0
        for slot in slots:
            self._count(slot, Drop.CLOSED, now)
        return slots

    def due(self) -> float | None:
        """Say when `take` or `expire` will have something to do at the latest; None while nothing waits."""
        first = min((slot.arrived for slot in self._waiting), default=None)
        return None if first is None else first + self._config.max_delay

    def load(self, now: float) -> BatchLoad:
        """Return the current load."""
        waits = sorted(wait for at, wait in self._waits if now - at <= WAITS_SECONDS)
        p95 = waits[min(len(waits) - 1, int(0.95 * len(waits)))] if waits else 0.0
        dropped = dict(self._dropped)
        return BatchLoad(self._rows, self._config.capacity, p95, dropped, self._batches, self._served)

    def _lead(self, now: float) -> Slot | None:
        """Find whose turn it is among those that need not wait any longer."""
        if not self._waiting:
            return None
        self._asked = {owner: at for owner, at in self._asked.items() if now - at <= LIVELY_SECONDS}
        if self._asked.keys() <= {slot.owner for slot in self._waiting}:
            return self._waiting[0]
        rows: Counter[int | None] = Counter()
        for slot in self._waiting:
            rows[slot.length] += slot.rows
        ripe = {slot.length for slot in self._waiting if slot.arrived + self._config.max_delay <= now}
        ripe |= {length for length, count in rows.items() if count >= self._config.buckets[-1]}
        return next((slot for slot in self._waiting if slot.length in ripe), None)

    def _advance(self, lead: Slot) -> None:
        self._turn = max(self._turn, lead.turn)
        if not self._waiting:
            # Nobody is behind anybody any more.
            self._turn = max(self._next_turn.values(), default=self._turn)
        self._next_turn = {owner: turn for owner, turn in self._next_turn.items() if turn > self._turn}

    def _room_for(self, slot: Slot) -> tuple[Slot, ...]:
        excess = self._rows + slot.rows - self._config.capacity
        if excess <= 0:
            return ()
        rows: Counter[Hashable] = Counter({slot.owner: slot.rows})
        for waiting in self._waiting:
            rows[waiting.owner] += waiting.rows
        victims: list[Slot] = []
        while excess > 0:
            heaviest = max(rows, key=lambda owner: rows[owner])
            if rows[heaviest] <= rows[slot.owner]:
                return (slot,)
            victim = next(
                waiting for waiting in reversed(self._waiting) if waiting.owner == heaviest and waiting not in victims
            )
            victims.append(victim)
            rows[heaviest] -= victim.rows
            excess -= victim.rows
        return tuple(victims)

    def _remove(self, slot: Slot) -> None:
        self._waiting.remove(slot)
        self._rows -= slot.rows

    def _count(self, slot: Slot, reason: Drop, now: float) -> None:
        self._dropped[reason] += 1
        self._waits.append((now, now - slot.arrived))


def gather(requests: Sequence[Arrays]) -> dict[str, FloatArray]:
    """Put the inputs of several requests into one batch, in their order; a single one is given as it is."""
    if len(requests) == 1:
        return dict(requests[0])
    return {name: np.concatenate([request[name] for request in requests]) for name in requests[0]}


def scatter(batch: Batch, outputs: Arrays) -> list[tuple[Slot, dict[str, FloatArray]]]:
    """Give each slot its own rows, as arrays that share no memory with anybody else's.

    Raises `EngineError` when there are not as many rows as went in.
    """
    if any(array.shape[:1] != (batch.rows,) for array in outputs.values()):
        raise EngineError("an engine gave back another number of rows than it was given: choose another engine")
    if len(batch.slots) == 1:
        return [(batch.slots[0], dict(outputs))]
    return [(slot, {name: np.array(array[span]) for name, array in outputs.items()}) for slot, span in batch.spans()]
