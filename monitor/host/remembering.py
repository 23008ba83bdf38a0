"""What is known of those who left, kept for when they join again, and let go of in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import structlog

from monitor.alerts.finding import Finding, FindingTracker
from monitor.host.departed import Departed, Memory, Past
from monitor.host.metrics import Metrics
from monitor.host.step import Clock
from monitor.types import FloatArray, ParticipantKey


class Remembers(Protocol):
    """Who keeps what is known of those who left; here, or in another process. To be used on the event loop."""

    @property
    def seconds(self) -> float:
        """For how long; 0 where nobody is remembered."""
        ...

    def left(self, departed: Departed) -> None:
        """Remember one who left."""
        ...

    def seeks(self, key: ParticipantKey, since: float) -> bool:
        """Whether somebody has left this call since then under another name, whose face may be known."""
        ...

    async def link(self, key: ParticipantKey, face: FloatArray, since: float) -> Departed | None:
        """Give who of them has this face (N, I): they are remembered no more."""
        ...

    async def past(self, key: ParticipantKey) -> Past:
        """Give what is known of one who joins."""
        ...

    def forget(self, call: str) -> None:
        """Let go of everybody who left a call."""
        ...

    def close(self) -> None:
        """Let go of everybody."""
        ...


class Remembered:
    """The memory of one process: `close_finding` takes what closes, with the monotonic time, of whom it lets go.

    `changed` is given everybody who is remembered, whenever that changes.
    """

    def __init__(
        self,
        seconds: float,
        close_finding: Callable[[Finding, float], None],
        metrics: Metrics,
        clock: Clock,
        changed: Callable[[Sequence[Departed]], None] = lambda _departed: None,
    ) -> None:
        self._memory, self._changed = Memory(seconds), changed
        self._close_finding, self._metrics, self._clock = close_finding, metrics, clock
        self._forgetting: asyncio.Task[None] | None = None

    @property
    def memory(self) -> Memory:
        """Who is remembered."""
        return self._memory

    @memory.setter
    def memory(self, memory: Memory) -> None:
        self._memory = memory
        self._changed(memory.departed)

    @property
    def seconds(self) -> float:
        """For how long somebody is remembered."""
        return self.memory.seconds

    def left(self, departed: Departed) -> None:
        """Remember one who left."""
        self.memory, dropped = self.memory.put(departed)
        self._metrics.departed_dropped.inc(len(dropped))
        self._close(dropped)
        if self._forgetting is None or self._forgetting.done():
            self._forgetting = asyncio.create_task(self._forget_in_time(), name="departed")
            self._forgetting.add_done_callback(_report_failure)

    def seeks(self, key: ParticipantKey, since: float) -> bool:
        """Whether somebody has left this call since then under another name, whose face is known."""
        return self.memory.seeks(key, since)

    async def link(self, key: ParticipantKey, face: FloatArray, since: float) -> Departed | None:
        """Give who of them has this face."""
        self._expire()
        self.memory, same = self.memory.link(key, face, since)
        # Their finding was another one: whoever goes on under this name has one of their own.
        self._close(() if same is None else (same,))
        return same

    async def past(self, key: ParticipantKey) -> Past:
        """Give what is known of one who joins."""
        self._expire()
        self.memory, past = self.memory.join(key, self._clock())
        return past

    def forget(self, call: str) -> None:
        """Let go of everybody who left a call."""
        self.memory, dropped = self.memory.forget(call)
        self._close(dropped)

    def give_up(self, call: str, participant: str) -> tuple[Departed, ...]:
        """Have whoever left under a name remembered elsewhere, and give them: nothing of theirs is closed."""
        self._expire()
        self.memory, theirs = self.memory.give_up(call, participant)
        return theirs

    def close(self, keeps: bool = False) -> None:
        """Let go of everybody, and remember nobody from now on; what somebody else `keeps` is not closed."""
        if self._forgetting is not None:
            self._forgetting.cancel()
        self._close(() if keeps else self.memory.departed)
        self.memory = Memory(0.0)

    def _expire(self) -> None:
        self.memory, expired = self.memory.expire(self._clock())
        self._close(expired)

    async def _forget_in_time(self) -> None:
        while (expires_at := self.memory.expires_at) is not None:
            await asyncio.sleep(max(0.0, expires_at - self._clock()))
            self._expire()

    def _close(self, departed: Iterable[Departed]) -> None:
        """Close what waited for somebody who is not expected any more."""
        for one in departed:
            closed = FindingTracker(one.key, finding=one.finding).end(datetime.now(UTC), one.reason)
            if closed is not None:
                self._close_finding(closed, self._clock())


def _report_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        structlog.stdlib.get_logger("host").error("who left could not be forgotten in time", exc_info=task.exception())
