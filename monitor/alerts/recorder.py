"""The one writer between the live path and the journal: a finding is published only after it is committed.

`put` never blocks and never fails, so a full disk cannot reach a call. While the journal refuses, findings wait
in memory in order and are tried again; beyond the bound the least important one (an `updated`, else the oldest)
gives way and is counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import structlog

from monitor.alerts.finding import Finding
from monitor.alerts.journal import JournalError

CAPACITY_FINDINGS = 4096
BACKOFF_SECONDS = (0.25, 0.5, 1.0, 2.0, 5.0)
PROBE_SECONDS = 5.0

T = TypeVar("T")
Committed = Callable[[int, Finding, float], None]


class FindingJournal(Protocol):
    """What the recorder needs of a journal."""

    def append(self, finding: Finding) -> int:
        """Commit and return the number."""
        ...

    def check(self) -> None:
        """Raise where a finding could not be written."""
        ...


class TakesFindings(Protocol):
    """Where findings go on their way to the journal."""

    def put(self, finding: Finding, decided_at: float) -> None:
        """Take one, with the monotonic time of its decision; never blocks."""
        ...


@dataclass(frozen=True, slots=True)
class Pending:
    """A finding not yet committed; `decided_at` is the monotonic time of the decision."""

    finding: Finding
    decided_at: float


class Recorder:
    """Writes findings in order from one thread; `committed(seq, finding, decided_at)` is called on the event loop."""

    def __init__(self, journal: FindingJournal, committed: Committed, capacity: int = CAPACITY_FINDINGS) -> None:
        self._journal = journal
        self._committed = committed
        self._capacity = capacity
        self._waiting: deque[Pending] = deque()
        self._changed, self._progress = asyncio.Event(), asyncio.Event()
        self._closing = False
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._probed = float("-inf")
        self._refusal: str | None = None
        self._task: asyncio.Task[None] | None = None
        self.error: str | None = None
        self.dropped = 0
        self.failures = 0
        self._dropped_said = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def start(self) -> None:
        """Begin to write; call once, on the running loop."""
        self._task = asyncio.create_task(self._run(), name="recorder")

    def put(self, finding: Finding, decided_at: float) -> None:
        """Take a finding; never blocks."""
        if len(self._waiting) >= self._capacity:
            self._make_room()
        self._waiting.append(Pending(finding, decided_at))
        self._changed.set()

    async def settled(self) -> None:
        """Wait until what was put before is written, or was let go of."""
        last = self._waiting[-1] if self._waiting else None
        while last in self._waiting:
            self._progress.clear()
            await self._progress.wait()

    async def probe(self) -> str | None:
        """Return why findings cannot be written now, or None; the disk is asked at most every few seconds."""
        now = time.monotonic()
        if self.error is None and now - self._probed >= PROBE_SECONDS:
            self._probed, self._refusal = now, None
            try:
                await self._call(self._journal.check)
            except JournalError as error:
                # Remembered: whoever asks next, before the disk is asked again, is told the same.
                self._refusal = str(error)
        return self.error or self._refusal

    async def close(self, timeout: float = 5.0) -> int:
        """Write what waits, for `timeout` seconds at most; return how many findings could not be written."""
        self._closing = True
        self._changed.set()
        if self._task is not None:
            with contextlib.suppress(TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(self._task, timeout)
        self._writer.shutdown(wait=False)
        if self._waiting:
            structlog.stdlib.get_logger("recorder").error(
                "findings lost: the journal refused them until the end", count=len(self._waiting)
            )
        return len(self._waiting)

    async def _run(self) -> None:
        while True:
            while self._waiting:
                await self._write(self._waiting[0])
            if self._closing:
                return
            self._changed.clear()
            await self._changed.wait()

    async def _write(self, pending: Pending) -> None:
        try:
            seq = await self._call(self._journal.append, pending.finding)
        except JournalError as error:
            await self._refused(error)
            return
        except Exception:
            # Not the journal's fault and not curable by trying again: one bad finding must not hold up the others.
            structlog.stdlib.get_logger("recorder").exception("a finding could not be written and is dropped")
            self.dropped += 1
            self._forget(pending)
            return
        if self.error is not None:
            dropped, self._dropped_said = self.dropped - self._dropped_said, self.dropped
            structlog.stdlib.get_logger("recorder").info(
                "the journal writes again", waiting=len(self._waiting), dropped=dropped
            )
        self.error, self._refusal, self.failures = None, None, 0
        self._forget(pending)
        self._committed(seq, pending.finding, pending.decided_at)

    async def _refused(self, error: JournalError) -> None:
        if self.error is None:
            structlog.stdlib.get_logger("recorder").error("findings wait in memory", why=str(error))
        self.error = str(error)
        delay = BACKOFF_SECONDS[min(self.failures, len(BACKOFF_SECONDS) - 1)]
        self.failures += 1
        await asyncio.sleep(delay)

    def _forget(self, pending: Pending) -> None:
        # `_make_room` may have taken it away meanwhile.
        with contextlib.suppress(ValueError):
            self._waiting.remove(pending)
        self._progress.set()

    def _make_room(self) -> None:
        # The head may be in the writer's hands: it is spared.
        places = range(1, len(self._waiting))
        place = next(
            (n for n in places if self._waiting[n].finding.action == "updated"), min(1, len(self._waiting) - 1)
        )
        del self._waiting[place]
        if self.dropped == self._dropped_said:
            structlog.stdlib.get_logger("recorder").error(
                "findings are dropped: the journal cannot be written for too long", kept=self._capacity
            )
        self.dropped += 1

    async def _call(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, function, *args)
