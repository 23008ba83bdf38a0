"""A participant whose media arrive at a host of the gateway, as whoever published them sees it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from monitor.host.cluster.far_host import FarHost
from monitor.host.cluster.link import LinkLost
from monitor.types import ParticipantKey

# Letting somebody go waits for a step that is being judged, and for a source that does not close.
END_SECONDS = 30.0


@dataclass(slots=True)
class FarPublication:
    """A `monitor.host.calls.Publication`; it has ended, too, when its host is gone."""

    host: FarHost
    number: int
    key: ParticipantKey
    answer: str
    etag: str
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None

    def follow(self) -> None:
        """Follow it until it ends."""
        self._task = asyncio.create_task(self._follow(), name="publication")

    @property
    def ended(self) -> bool:
        """Whether they are judged no more."""
        return self._ended.is_set()

    async def wait(self) -> None:
        """Return when they are judged no more."""
        await self._ended.wait()

    async def end(self) -> None:
        """Let them leave; returns when they have."""
        try:
            await self.host.ask("end", self.number, seconds=END_SECONDS)
        except LinkLost:
            return
        await self._ended.wait()

    async def add_candidates(self, fragment: str) -> None:
        """Take trickled candidates; raises `SdpError`. Those of somebody who is gone are of no use."""
        try:
            await self.host.ask("candidates", {"id": self.number, "fragment": fragment})
        except LinkLost:
            return

    async def _follow(self) -> None:
        try:
            await self.host.ask("wait", self.number, seconds=None)
        except Exception:
            # Whatever it is, nobody knows anything of them any more.
            return
        finally:
            self._ended.set()
