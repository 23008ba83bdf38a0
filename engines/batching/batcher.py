"""One engine for many owners at once: each asks through a client of its own, and threads run what they ask in batches.

`engines.batching.queue` decides what is computed together and what is dropped; here are the threads. A client is an
`Engine` like any other: `run` blocks until its own rows are back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from engines.base import Arrays, Engine, EngineError, FloatArray, InputError, Manifest, check_inputs, free_length, zeros
from engines.batching.queue import Batch, BatchConfig, BatchLoad, BatchQueue, Drop, Dropped, Slot, gather, scatter

CLOSE_SECONDS = 5.0


class Batcher:
    """Runs one engine for any number of clients; `close` it when nobody will ask any more."""

    def __init__(
        self, engine: Engine, config: BatchConfig | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        config = config or BatchConfig()
        self.engine = engine
        self._clock = clock
        self._queue = BatchQueue(config)
        self._calls: dict[Slot, _Call] = {}
        self._changed = threading.Condition()
        self._closed = False
        name = f"batcher-{engine.manifest.name}"
        self._threads = [threading.Thread(target=self._work, name=name, daemon=True) for _ in range(config.workers)]
        for thread in self._threads:
            thread.start()

    def client(self) -> Engine:
        """Make the engine of one owner; its requests take turns with those of other clients."""
        return Client(self)

    def load(self) -> BatchLoad:
        """Say how many rows wait, how long they do, and what was dropped."""
        with self._changed:
            return self._queue.load(self._clock())

    def close(self) -> None:
        """Drop what waits, let the threads finish what they run, and refuse whoever asks later; safe to call twice."""
        with self._changed:
            self._closed = True
            self._drop(self._queue.clear(self._clock()), Drop.CLOSED)
            self._changed.notify_all()
        for thread in self._threads:
            # An engine that hangs must not keep the process from ending.
            thread.join(CLOSE_SECONDS)

    def run(self, owner: object, inputs: Arrays) -> dict[str, FloatArray]:
        """Run one request of an owner; raises `Dropped`, or what the engine raises for this batch."""
        check_inputs(self.engine.manifest, inputs)
        rows = next(iter(inputs.values())).shape[0]
        call = _Call(inputs)
        with self._changed:
            if self._closed:
                raise Dropped(Drop.CLOSED)
            slot, dropped = self._queue.offer(owner, rows, free_length(self.engine.manifest, inputs), self._clock())
            self._calls[slot] = call
            self._drop(dropped, Drop.QUEUE_FULL)
            self._changed.notify()
        while not call.done.wait(max(0.0, slot.deadline - self._clock()) if slot in self._calls else None):
            # The deadline holds while every thread is busy, too.
            with self._changed:
                self._drop(self._queue.expire(self._clock()), Drop.DEADLINE)
        return call.result()

    def _work(self) -> None:
        while (found := self._next()) is not None:
            self._compute(*found)

    def _next(self) -> tuple[Batch, dict[Slot, _Call]] | None:
        with self._changed:
            while not self._closed:
                now = self._clock()
                self._drop(self._queue.expire(now), Drop.DEADLINE)
                batch = self._queue.take(now)
                if batch is not None:
                    return batch, {slot: self._calls.pop(slot) for slot in batch.slots}
                due = self._queue.due()
                self._changed.wait(None if due is None else max(0.0, due - now))
            return None

    def _compute(self, batch: Batch, calls: dict[Slot, _Call]) -> None:
        try:
            outputs = self.engine.run(gather([calls[slot].inputs for slot in batch.slots]))
            for slot, rows in scatter(batch, outputs):
                calls[slot].finish(rows)
        except Exception as error:
            for call in calls.values():
                call.fail(error)

    def _drop(self, slots: list[Slot] | tuple[Slot, ...], reason: Drop) -> None:
        for slot in slots:
            self._calls.pop(slot).fail(Dropped(reason))


class Client:
    """The engine of one owner. Thread-safe, like every `Engine`."""

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher

    @property
    def manifest(self) -> Manifest:
        """The manifest of the pack behind the batcher."""
        return self._batcher.engine.manifest

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        """Run one batch; see `Engine.run`. Raises `Dropped` when it could not be computed in time."""
        return self._batcher.run(self, inputs)

    def warm_up(self) -> None:
        """Run once on zeros."""
        self.run(zeros(self.manifest))


class _Call:
    """What one request waits for."""

    __slots__ = ("_error", "_outputs", "done", "inputs")

    def __init__(self, inputs: Arrays) -> None:
        self.inputs = inputs
        self.done = threading.Event()
        self._outputs: dict[str, FloatArray] = {}
        self._error: Exception | None = None

    def finish(self, outputs: dict[str, FloatArray]) -> None:
        self._outputs = outputs
        self.done.set()

    def fail(self, error: Exception) -> None:
        self._error = error
        self.done.set()

    def result(self) -> dict[str, FloatArray]:
        error = self._error
        if error is None:
            return self._outputs
        if isinstance(error, Dropped):
            raise error
        # A new one for each: what is raised in several threads would carry the frames of all.
        if isinstance(error, EngineError):
            raise (InputError if isinstance(error, InputError) else EngineError)(str(error)) from error
        name = type(error).__name__
        raise EngineError(f"an engine failed ({name}): choose another one, and please report this") from error
