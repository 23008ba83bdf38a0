"""The journals and subscribers of all tenants, as far as health and metrics ask: how many, and whether it works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.alerts.push import Hub
from monitor.alerts.recorder import Recorder


@dataclass(frozen=True, slots=True)
class Recorders:
    """Every recorder."""

    every: Sequence[Recorder]

    def __len__(self) -> int:
        """How many findings wait to be written."""
        return sum(map(len, self.every))

    @property
    def dropped(self) -> int:
        """How many findings gave way to others while none could be written."""
        return sum(one.dropped for one in self.every)

    async def probe(self) -> str | None:
        """Return why findings of somebody cannot be written now, or None."""
        found = [await one.probe() for one in self.every]
        return next((why for why in found if why is not None), None)


@dataclass(frozen=True, slots=True)
class Hubs:
    """Every hub."""

    every: Sequence[Hub]

    def __len__(self) -> int:
        """How many are subscribed."""
        return sum(map(len, self.every))

    @property
    def waiting(self) -> int:
        """Messages not yet given to a socket."""
        return sum(one.waiting for one in self.every)
