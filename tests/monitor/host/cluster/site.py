"""A gateway with real hosts that judge as `toy_host` says, its journal, and what its subscribers are told."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitor.alerts.finding import Finding
from monitor.alerts.journal import Entry
from monitor.config import Settings
from monitor.host.cluster.fleet import Fleet
from monitor.host.cluster.gateway import hosting
from monitor.host.cluster.host_settings import environment
from monitor.host.cluster.launch import Launch, local_processes
from monitor.host.sidecar import Sidecar, assemble
from monitor.types import ParticipantKey
from tests.monitor.alerts.build import ready_journal
from tests.monitor.rig import quiet_log, scripted

TOY = "tests.monitor.host.cluster.toy_host:judging"
PATIENCE = 30.0


async def until(changed: asyncio.Event, condition: Callable[[], object], what: str, seconds: float) -> None:
    """Wait until something is so, which is looked at again whenever something has `changed`."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():
                changed.clear()
                await changed.wait()
    except TimeoutError:
        raise AssertionError(f"never so: {what}") from None


@dataclass
class Site:
    """The gateway, and all that a subscriber has read."""

    sidecar: Sidecar
    fleet: Fleet
    told: list[dict[str, Any]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
        """Wait until something is so."""
        await until(self.changed, condition, what, seconds)

    async def follow(self) -> None:
        async for message in self.sidecar.alerts(after=0, states=True):
            self.told.append(message)
            self.changed.set()

    async def look(self) -> None:
        """Have conditions looked at again and again: not everything is a message."""
        while True:
            await asyncio.sleep(0.02)
            self.changed.set()

    def kinds(self, kind: str, participant: str) -> list[dict[str, Any]]:
        return [one for one in self.told if one["type"] == kind and one["participant"] == participant]

    def pid_of(self, participant: str, call: str = "board") -> int | None:
        """The process that judges somebody."""
        seat = self.fleet.ledger.seat((call, participant))
        return None if seat is None else self.fleet.hosts[seat.host].pid

    def seat_of(self, participant: str, call: str = "board") -> int | None:
        """The number of the host that judges somebody."""
        seat = self.fleet.ledger.seat((call, participant))
        return None if seat is None else seat.host

    def findings(self) -> list[Finding]:
        found: list[Finding] = []
        after = 0
        while rows := self.sidecar.components.journal.read(after, 1000):
            found += [row.finding for row in rows if isinstance(row, Entry)]
            after = rows[-1].seq
        return found

    async def publish(
        self, participant: str, call: str = "board", offer: str = "offer", owner: str = "operator"
    ) -> Any:
        return await self.fleet.publish(ParticipantKey(call, participant), offer, owner)


@asynccontextmanager
async def site(
    folder: Path, hosts: int = 2, factory: str = TOY, launch: Launch | None = None, **more: Any
) -> AsyncIterator[Site]:
    chosen = {"max_participants": 64, "hop_seconds": 0.1, **more}
    settings = Settings(state_dir=folder, processes=hosts, log_level="error", **chosen)
    ready_journal(folder).close()
    launch = launch or local_processes(factory, environment(os.environ, 1))
    with quiet_log():
        sidecar = Sidecar(settings, assemble(settings, scripted(), hosting=hosting(settings, launch)))
        async with sidecar:
            fleet = sidecar.components.host
            assert isinstance(fleet, Fleet)
            made = Site(sidecar, fleet)
            tasks = [asyncio.create_task(made.follow()), asyncio.create_task(made.look())]
            try:
                yield made
            finally:
                tasks[1].cancel()
        await asyncio.wait(tasks)
