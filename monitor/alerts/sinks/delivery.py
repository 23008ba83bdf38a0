"""Delivers findings from the journal to sinks: a runner for each, so that a slow or dead one holds back nobody.

The journal is the queue. A runner reads what follows its sink's cursor, delivers it in order, and moves the cursor only
after the sink has accepted; whatever happens in between, a crash included, is delivered again. Where much waits, the
cursor of a sink that takes one finding at a time is written every `HOLD_SECONDS` and not after each: a dozen such sinks
would hold up the recorder, which writes to the same database.

It sleeps until the recorder commits a finding, and while its sink does not accept it comes back after ever longer
pauses. What the sink refuses for good becomes a dead letter, and what follows goes on; a sink that wants nothing more
stops. Of several processes on one database one delivers to a sink, whoever has its lease, and the others stand by.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry

from monitor.alerts.journal import Entry, Head, Journal, JournalError
from monitor.alerts.retry import retry_delay_seconds
from monitor.alerts.sinks.base import BATCH_ENTRIES, Gap, GoneError, Item, RefusedError, SinkError
from monitor.alerts.sinks.batch import Batch, next_batch, number_of, resume
from monitor.alerts.sinks.cursors import Cursors
from monitor.alerts.sinks.dead import DeadLetters
from monitor.alerts.sinks.metrics import SinkMetrics
from monitor.alerts.sinks.registry import NamedSink
from monitor.alerts.traces import NoTraces, Traces
from monitor.storage.lease import Leases

DELIVER_SECONDS = 60.0
DRAIN_SECONDS = 3.0
CLOSE_SECONDS = 1.0
# For so long what was read is delivered without reading again, and what was accepted waits for its cursor.
HOLD_SECONDS = 0.25
# How soon a cursor is seen that somebody has put elsewhere (`sidewitness sinks replay`).
LOOK_SECONDS = 5.0
# A sink that does not accept is left alone for so long at most.
LONGEST_RETRY_SECONDS = 300.0

Accepted = Callable[[str, Sequence[Item]], None]


class Delivery:
    """The runner of one sink. `cursor` is the newest finding that it has accepted, `error` why it accepts no more."""

    def __init__(
        self,
        named: NamedSink,
        journal: Journal,
        metrics: SinkMetrics,
        deliver_seconds: float = DELIVER_SECONDS,
        *,
        traces: Traces | None = None,
        accepted: Accepted = lambda _sink, _items: None,
        leases: Leases | None = None,
    ) -> None:
        self.name = named.name
        self.cursor = 0
        self.error: str | None = None
        self._named = named
        self._journal = journal
        self._cursors = Cursors(journal)
        self._dead_letters = DeadLetters(journal)
        self._deliver_seconds = deliver_seconds
        self._tell_accepted = accepted
        self._leases = leases or Leases(journal.database)
        self._is_ours: bool | None = None
        self._durable_cursor = 0
        self._newest = 0
        self._last_pruned = 0
        self._failures = 0
        self._committed = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._delivered = metrics.delivered.labels(self.name)
        self._failed = metrics.failures.labels(self.name)
        self._missed = metrics.missed.labels(self.name)
        self._dead = metrics.dead.labels(self.name)
        self._stopped = metrics.stopped.labels(self.name)
        self._waiting = metrics.waiting.labels(self.name)
        self._healthy = metrics.healthy.labels(self.name)
        self._delay = metrics.delay.labels(self.name)
        self._traces = traces or NoTraces()
        self._healthy.set(1)
        self._stopped.set(0)

    async def start(self) -> None:
        """Find the cursor and begin to deliver; raises `JournalError`."""
        head = await asyncio.to_thread(self._journal.head)
        first = head.pruned if self._named.from_beginning else head.seq
        self._durable_cursor = await asyncio.to_thread(self._cursors.begin, self.name, first)
        self.cursor = resume(self._durable_cursor, head)
        if self.cursor != self._durable_cursor:
            _log().warning("the cursor of a sink is from another journal: it is sent everything", sink=self.name)
        self.committed(head.seq)
        self._task = asyncio.create_task(self._run(), name=f"sink {self.name}")

    def committed(self, seq: int) -> None:
        """Wake up: the journal holds findings up to `seq`."""
        self._measure(seq)
        self._committed.set()

    async def close(self, timeout_seconds: float) -> None:
        """Deliver what waits, for `timeout_seconds` at most; what is left is delivered after the next start."""
        self._closing.set()
        self._committed.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=timeout_seconds)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self._named.sink.close(), CLOSE_SECONDS)
        if self._newest > self.cursor and self._is_ours:
            _log().warning(
                "findings are left for a sink: they are delivered after the next start",
                sink=self.name,
                waiting=self._newest - self.cursor,
            )

    async def _run(self) -> None:
        while True:
            last_try = self._closing.is_set()
            self._committed.clear()
            try:
                more = await self._deliver_next()
            except GoneError as error:
                self._note_stop(error)
                return
            except Exception as error:
                self._note_failure(error)
                if last_try:
                    return
                asked = error.retry_after_seconds if isinstance(error, SinkError) else None
                jitter = random.random()  # noqa: S311
                await self._pause(retry_delay_seconds(self._failures, jitter, LONGEST_RETRY_SECONDS, asked))
                continue
            self._note_success()
            if not more:
                if last_try:
                    return
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._committed.wait(), LOOK_SECONDS)

    async def _deliver_next(self) -> bool:
        """Deliver what follows and move the cursor; whether there was anything to deliver."""
        batch = await asyncio.to_thread(self._read)
        if batch is None:
            return False
        if batch.items:
            self._note_gaps(batch)
        until = time.monotonic() + HOLD_SECONDS
        try:
            for part in batch.parts(self._named.batch_entries):
                await self._deliver(part)
                if time.monotonic() >= until:
                    break
        except BaseException:
            # Before anything is tried again: what was accepted is not to come twice.
            with contextlib.suppress(JournalError):
                await self._write_cursor()
            raise
        await self._write_cursor()
        return bool(batch.items)

    async def _deliver(self, batch: Batch) -> None:
        told = batch.told_to(self.name)
        try:
            if told.items:
                await self._send(told.items)
        except RefusedError as refusal:
            await self._deliver_alone(told.items, refusal)
            self._accepted(batch.cursor, 0)
        else:
            self._accepted(batch.cursor, told.findings)
        # After each part: else one refusal in many would lengthen the pauses without end.
        self._note_success()

    async def _send(self, items: Sequence[Item]) -> None:
        began_at = time.monotonic()
        async with asyncio.timeout(self._deliver_seconds):
            await self._named.sink.deliver(items)
        accepted, now = [item for item in items if isinstance(item, Entry)], datetime.now(UTC)
        for entry in accepted:
            # By the clock of whoever decided it: one that is ahead of ours does not make a delay less than none.
            self._delay.observe(max(0.0, (now - entry.finding.time).total_seconds()))
        self._traces.delivered(self.name, accepted, began_at)
        self._tell_accepted(self.name, items)

    async def _deliver_alone(self, items: Sequence[Item], refusal: RefusedError) -> None:
        """Deliver what was refused together one by one: what is refused alone is dead, and the rest goes on."""
        for item in items:
            refused: RefusedError | None = refusal if len(items) == 1 else None
            if refused is None:
                try:
                    await self._send((item,))
                except RefusedError as error:
                    refused = error
            number = number_of(item)
            if refused is not None:
                await asyncio.to_thread(self._dead_letters.add, self.name, number, str(refused))
                self._dead.inc()
                _log().warning("a sink refuses a finding for good", sink=self.name, seq=number, why=str(refused))
            self._accepted(number, int(isinstance(item, Entry) and refused is None))
            await self._write_cursor()

    def _accepted(self, cursor: int, findings: int) -> None:
        self.cursor = cursor
        self._delivered.inc(findings)
        self._measure(cursor)

    async def _write_cursor(self) -> None:
        if self.cursor == self._durable_cursor:
            return
        # A cursor that could not be written is not a delivery that failed: it is written with the next batch.
        if await asyncio.to_thread(self._cursors.advance, self.name, self.cursor, self._durable_cursor):
            self._durable_cursor = self.cursor

    def _read(self) -> Batch | None:
        """Read what comes next; None where another process delivers to this sink."""
        is_ours = self._leases.take(f"sink {self.name}")
        # The head first: a page read after it holds everything up to it.
        head: Head = self._journal.head()
        was_ours = self._is_ours
        if is_ours is not was_ours:
            self._note_lease(is_ours)
        durable = self._cursors.read(self.name)
        if durable is not None and durable != self._durable_cursor:
            if is_ours and was_ours is not False:
                _log().info(
                    "the cursor of a sink was put elsewhere: it goes on from there", sink=self.name, after=durable
                )
            self._durable_cursor, self.cursor = durable, resume(durable, head)
        if not is_ours:
            self._measure(head.seq)
            return None
        entries = max(self._named.batch_entries, BATCH_ENTRIES)
        return next_batch(self.cursor, head, self._journal.read(self.cursor, entries))

    def _note_lease(self, is_ours: bool) -> None:
        if not is_ours:
            _log().info("another process delivers to a sink: this one stands by", sink=self.name)
        elif self._is_ours is not None:
            _log().info("this process delivers to a sink from now on", sink=self.name)
        self._is_ours = is_ours

    def _measure(self, seq: int) -> None:
        self._newest = max(self._newest, seq)
        self._waiting.set(self._newest - self.cursor)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    def _note_gaps(self, batch: Batch) -> None:
        for gap in (item for item in batch.items if isinstance(item, Gap)):
            # A batch that is tried again has the same gap, or one that has grown.
            missed = gap.last - max(gap.first - 1, self._last_pruned)
            if missed > 0:
                self._last_pruned = gap.last
                self._missed.inc(missed)
                _log().error(
                    "findings that a sink has not had are gone from the journal: raise findings_kept if it pruned them",
                    sink=self.name,
                    first=gap.first,
                    last=gap.last,
                )

    def _note_failure(self, error: Exception) -> None:
        self._failures += 1
        self._failed.inc()
        self._healthy.set(0)
        if self.error is None:
            _log().warning("a sink does not accept findings: they wait in the journal", sink=self.name, why=_why(error))
        self.error = _why(error)

    def _note_stop(self, error: GoneError) -> None:
        self.error = str(error)
        self._failed.inc()
        self._healthy.set(0)
        self._stopped.set(1)
        _log().error("a sink is stopped until the next start: its findings wait", sink=self.name, why=self.error)

    def _note_success(self) -> None:
        if self.error is not None:
            _log().info("a sink accepts findings again", sink=self.name, waiting=self._newest - self.cursor)
        self.error, self._failures = None, 0
        self._healthy.set(1)


class Deliveries:
    """Every sink of a tenant and its runner; `accepted` is told what a sink, by its name, has accepted.

    In place of a registry the instruments can be given, where those of other tenants are counted by them too.
    """

    def __init__(
        self,
        sinks: Sequence[NamedSink],
        journal: Journal,
        registry: CollectorRegistry | SinkMetrics,
        traces: Traces | None = None,
        accepted: Accepted = lambda _sink, _items: None,
    ) -> None:
        metrics = registry if isinstance(registry, SinkMetrics) else SinkMetrics(registry)
        self._leases = Leases(journal.database)
        self._runners = [
            Delivery(named, journal, metrics, traces=traces, accepted=accepted, leases=self._leases) for named in sinks
        ]

    def __iter__(self) -> Iterator[Delivery]:
        return iter(self._runners)

    async def start(self) -> None:
        """Begin to deliver, before the first finding is committed; raises `JournalError`."""
        for runner in self._runners:
            await runner.start()

    def committed(self, seq: int) -> None:
        """Wake every sink: a finding was committed as number `seq`."""
        for runner in self._runners:
            runner.committed(seq)

    async def close(self, timeout_seconds: float = DRAIN_SECONDS) -> None:
        """Deliver what waits within the time there is, all sinks at once; close after the recorder."""
        await asyncio.gather(*(runner.close(timeout_seconds) for runner in self._runners))
        await asyncio.to_thread(self.release)

    def release(self) -> None:
        """Let others deliver; blocks, safe to call twice."""
        self._leases.release()


def _log() -> structlog.stdlib.BoundLogger:
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("sinks")
    return logger


def _why(error: Exception) -> str:
    if isinstance(error, SinkError | JournalError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    # Not its text, which may quote an address with a secret in it.
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(frame.filename).name}, line {frame.lineno}"
