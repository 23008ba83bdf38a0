"""Hosts of a running gateway are let go and begun anew, one after the other, when an operator asks for it.

Who is judged on a host that is let go is told so, publishes again and goes on where they were, with all that was known
of them; their ways in move to another host. `monitor.host.cluster.rolling` decides whose turn it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from monitor.alerts.wire import Message
from monitor.decision.words import HOST_DRAINED
from monitor.host.cluster.far_host import FarHost
from monitor.host.cluster.fleet_sources import FleetSources
from monitor.host.cluster.ledger import Ledger, Place
from monitor.host.cluster.link import LinkLost
from monitor.host.cluster.refusals import HostError
from monitor.host.cluster.rolling import DRAIN_SECONDS, HostLook, Rolling

LOOK_SECONDS = 0.25


class Renews(Protocol):
    """What is needed of the fleet."""

    hosts: list[FarHost]
    sources: FleetSources
    ledger: Ledger


class Renewal:
    """Lets hosts go and has them begun anew, on the event loop."""

    def __init__(
        self, fleet: Renews, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._fleet, self._clock, self._sleep = fleet, clock, sleep
        self.rolling = Rolling()
        self._moved: list[Place] = []
        self._task: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None

    def ask(self, numbers: list[int]) -> None:
        """Have these hosts let go and begun anew, one after the other."""
        self.rolling = self.rolling.ask(numbers, self._clock())
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="renewal")
            self._task.add_done_callback(_report_failure)

    def describe(self) -> Message:
        """Say how far it has come."""
        rolling = self.rolling
        turn = None if rolling.turn is None else rolling.turn.number
        return {"now": turn, "waiting": list(rolling.waiting), "done": list(rolling.done), "why": rolling.why}

    def close(self) -> None:
        """Let go of nobody any more: all of them are."""
        for task in (self._task, self._leaving):
            if task is not None:
                task.cancel()

    async def _run(self) -> None:
        while not self.rolling.over:
            looks = [HostLook(host.number, host.ready, host.starts) for host in self._fleet.hosts]
            missing = sum(self._fleet.ledger.seat(place) is None for place in self._moved)
            before, (self.rolling, number) = self.rolling, self.rolling.look(self._clock(), looks, missing)
            if number is not None:
                self._leaving = asyncio.create_task(self._let_go(self._fleet.hosts[number]), name="leaving")
                self._leaving.add_done_callback(_report_failure)
            if self.rolling.why is not None and before.why is None:
                structlog.stdlib.get_logger("cluster").error("hosts are begun anew no more", why=self.rolling.why)
            await self._sleep(LOOK_SECONDS)

    async def _let_go(self, host: FarHost) -> None:
        """End everybody on a host so that they go on elsewhere, then have it begun anew."""
        logger = structlog.stdlib.get_logger("cluster")
        logger.info("a host is let go", host=host.number)
        host.leaving, self._moved = True, list(self._fleet.ledger.on(host.number))
        # None of them is where it was: what the host says of them from now on is of their end.
        self._fleet.sources.leave(host)
        try:
            await host.ask("drain", HOST_DRAINED, seconds=DRAIN_SECONDS)
        except (LinkLost, TimeoutError, HostError) as error:
            logger.warning("a host was not let go in order", host=host.number, why=type(error).__name__)
        self._fleet.sources.start()
        host.renew()


def _report_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        structlog.stdlib.get_logger("cluster").error("hosts could not be begun anew", exc_info=task.exception())
