"""Drills: a marked finding that goes the whole way through policy, journal and sinks, and says how long each took."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from monitor.alerts.casework.desk import Desk
from monitor.alerts.casework.events import EventKind, NewEvent
from monitor.alerts.finding import Finding
from monitor.alerts.journal import Entry
from monitor.alerts.policy.evaluate import drill
from monitor.alerts.recorder import TakesFindings
from monitor.alerts.sinks.base import Item
from monitor.alerts.wire import Message
from monitor.host.calls import participant_key
from monitor.host.policing import Clock, Policing, new_id, utc_now

# The call and the participant of a drill, where nobody says another call.
NAME = "drill"
# A drill is closed when every sink has accepted its beginning, and after so long in any case.
CLOSE_SECONDS = 60.0
MAX_REMEMBERED = 64


@dataclass(slots=True)
class Drill:
    """One drill: who is to accept it, and after how many seconds each has."""

    opened: Finding
    began: float
    sinks: tuple[str, ...]
    seconds: dict[str, float] = field(default_factory=dict)
    all_accepted: asyncio.Event = field(default_factory=asyncio.Event)

    def describe(self) -> Message:
        """Return JSON values."""
        handling: dict[str, Any] = dict(self.opened.handling or {})
        return {
            "id": self.opened.id,
            "call": self.opened.key.call,
            "identity": self.opened.key.identity,
            "groups": handling["groups"],
            "held": handling["held"],
            "actions": handling["actions"],
            "sinks": [{"sink": name, "seconds": self.seconds.get(name)} for name in self.sinks],
            "finished": self.all_accepted.is_set(),
        }


class Drills:
    """The drills of a sidecar, the newest `MAX_REMEMBERED`; `learn` reads the tags of an identity and blocks."""

    def __init__(
        self,
        policing: Policing,
        journal: TakesFindings,
        desk: Desk,
        sinks: Sequence[str],
        learn: Callable[[str | None], frozenset[str]] = lambda _name: frozenset(),
        now: Clock = utc_now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policing, self._journal, self._desk = policing, journal, desk
        self._sinks, self._learn = tuple(sinks), learn
        self._now, self._clock = now, clock
        self._drills: dict[str, Drill] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, call: str | None, identity: str | None, who: str) -> Message:
        """Begin a drill and describe it; raises `InvalidName` or `JournalError`."""
        key = participant_key(call or NAME, NAME, identity)
        tags = await asyncio.to_thread(self._learn, identity)
        (opened, closed), orders = drill(self._policing.policy, key, tags, self._now(), new_id)
        # Who has begun it is on record before anybody is told.
        text = "this is a drill"
        await self._desk.record(NewEvent(opened.id, EventKind.NOTED, who, {"text": text}))
        notify = (opened.handling or {})["notify"]
        told = tuple(name for name in self._sinks if notify is None or name in notify)
        made = self._drills[opened.id] = Drill(opened, self._clock(), told)
        while len(self._drills) > MAX_REMEMBERED:
            del self._drills[next(iter(self._drills))]
        self._journal.put(opened, made.began)
        for order in orders:
            self._policing.order(order)
        if not told:
            made.all_accepted.set()
        task = asyncio.get_running_loop().create_task(self._close_in_time(made, closed), name="drill")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        structlog.stdlib.get_logger("policy").info("a drill has begun", sinks=len(told))
        return made.describe()

    def describe(self, drill_id: str) -> Message | None:
        """Say how far a drill has come; None where there is none of this id, or none any more."""
        made = self._drills.get(drill_id)
        return None if made is None else made.describe()

    def accepted(self, sink: str, items: Sequence[Item]) -> None:
        """Take note of what a sink has accepted."""
        for item in items:
            made = self._drills.get(item.finding.id) if isinstance(item, Entry) else None
            if made is not None and sink in made.sinks:
                made.seconds.setdefault(sink, round(self._clock() - made.began, 3))
                if len(made.seconds) == len(made.sinks):
                    made.all_accepted.set()

    async def close(self) -> None:
        """End the drills that run: their findings are closed."""
        for made in self._drills.values():
            made.all_accepted.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)

    async def _close_in_time(self, made: Drill, closed: Finding) -> None:
        try:
            await asyncio.wait_for(made.all_accepted.wait(), CLOSE_SECONDS)
        except TimeoutError:
            structlog.stdlib.get_logger("policy").warning(
                "a drill is over and not every sink has accepted it", missing=len(made.sinks) - len(made.seconds)
            )
        self._journal.put(replace(closed, time=self._now()), self._clock())
