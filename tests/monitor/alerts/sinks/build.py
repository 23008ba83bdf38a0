"""Sinks for the tests: in memory, and told by the test when to accept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from monitor.alerts.journal import Entry
from monitor.alerts.sinks.base import Gap, Item, SinkError
from monitor.alerts.sinks.registry import NamedSink

PATIENCE = 10.0


class MemorySink:
    """Accepts into a list, unless `refusal` is set."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.batches: list[int] = []
        self.attempts = 0
        self.closed = False
        self.refusal: Exception | None = None
        self._changed = asyncio.Event()

    async def deliver(self, items: Sequence[Item]) -> None:
        self.attempts += 1
        self._changed.set()
        if self.refusal is not None:
            raise self.refusal
        self.items += items
        self.batches.append(len(items))

    async def close(self) -> None:
        self.closed = True

    @property
    def numbers(self) -> list[int]:
        return [item.seq for item in self.items if isinstance(item, Entry)]

    @property
    def gaps(self) -> list[Gap]:
        return [item for item in self.items if isinstance(item, Gap)]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


class DeadSink(MemorySink):
    """Never answers."""

    async def deliver(self, items: Sequence[Item]) -> None:
        self.attempts += 1
        self._changed.set()
        await asyncio.Event().wait()


def refused() -> SinkError:
    return SinkError("the receiver is away: start it")


def named(sink: MemorySink, name: str = "memory", batch_entries: int = 4, from_beginning: bool = False) -> NamedSink:
    return NamedSink(name, sink, batch_entries, from_beginning)
