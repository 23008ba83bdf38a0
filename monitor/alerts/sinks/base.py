"""What an alert sink is: somewhere that findings are delivered to, in order and at least once.

To add one, write one file with a `Sink`, its `SinkOptions` and a `SinkSpec`, and name the spec in `registry.BUILT_IN`
or, from another package, in the entry-point group `sidewitness.sinks`. Queueing, order, retries, resuming after a
crash, metrics and logging are done by `delivery`; a sink only sends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from engines.errors import SidewitnessError
from monitor.alerts.journal import Entry, Tampered
from monitor.alerts.wire import Message, finding_message, gap, tampered

BATCH_ENTRIES = 64


@dataclass(frozen=True, slots=True)
class Gap:
    """Findings `first` to `last` will never reach the sink: the journal no longer holds them, whoever took them."""

    first: int
    last: int


Item = Entry | Gap | Tampered


class SinkError(SidewitnessError):
    """The sink does not accept now: it is tried again; the message is one line without secrets.

    `retry_after_seconds` is what the other side asked for, if anything.
    """

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class RefusedError(SinkError):
    """What was sent is refused for good, so that to send it again is in vain; the message is one line without secrets.

    Where several items were sent together, each comes once more alone. One that is refused alone is kept as a dead
    letter, and those behind it go on.
    """


class GoneError(SinkError):
    """The receiver wants nothing more, ever (410): the sink stops until the next start, and its findings wait."""


class SinkOptions(BaseModel):
    """Base of the options of a sink, as they stand in the setting `sinks` beside `kind`, `name` and `start`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Sink(Protocol):
    """An open sink. One runner calls it, never twice at a time."""

    async def deliver(self, items: Sequence[Item]) -> None:
        """Send the items in order; return only when every one is accepted for good.

        Raises `SinkError` where they are not: all of them come again, after a while, so an item may arrive twice.
        Receivers recognise a repeated finding by its `seq`. `RefusedError` and `GoneError` say that waiting is in vain.
        May be cancelled when it takes too long.
        """
        ...

    async def close(self) -> None:
        """Release what is held; called once, after the last delivery."""
        ...


@dataclass(frozen=True, slots=True)
class SinkSpec:
    """One kind of sink: its name in the configuration, its options, and what opens it.

    `open` does no I/O that can fail because the other side is away: that is for `deliver`, which is tried again.
    `batch_entries` bounds one delivery; a sink that sends one request a finding says 1, so that what was accepted
    before a failure is not sent again (before a crash, what it has accepted in the last quarter of a second may be).
    """

    kind: str
    options: type[SinkOptions]
    open: Callable[[Any], Sink]
    batch_entries: int = BATCH_ENTRIES


def item_message(item: Item) -> Message:
    """Return an item as the message that a WebSocket subscriber would be sent."""
    if isinstance(item, Gap):
        return gap(item.last)
    return tampered(item.seq) if isinstance(item, Tampered) else finding_message(item.seq, item.finding)
