"""A source under the sidecar's own supervision, with guests in place of judgement."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from monitor.config import SourceSettings
from monitor.host.calls import AtCapacity
from monitor.host.claiming import Claiming
from monitor.host.ingest import Ingest
from monitor.host.metrics import Metrics
from monitor.host.sources import configured_sources
from monitor.host.watching import Watching
from monitor.identity.claimed import stated
from monitor.tap.kit import MediaItem, Source
from monitor.types import ParticipantKey, Profile
from tests.plugins.intake import PATIENCE_SECONDS, Guest


class Admitted(Guest):
    """A guest of the sidecar's."""

    def __init__(self, key: ParticipantKey, source: Source, watching: Watching) -> None:
        self.key, self._watching, self._is_scored = key, watching, False
        watching.judged(key)
        super().__init__(key.call, key.participant, source, key.identity)

    async def _read(self) -> None:
        try:
            await super()._read()
        finally:
            self._watching.ended((self.call, self.participant))

    def _take(self, item: MediaItem) -> None:
        super()._take(item)
        if self.is_seen_and_heard and not self._is_scored:
            # As a hop that had a score.
            self._is_scored = True
            scores = {"synchrony": {"score": 0.0}}
            self._watching.hop({"call": self.call, "participant": self.participant, "reason": None, "scores": scores})


@dataclass
class House:
    """Takes in whom sources bring, unless it is `full`."""

    guests: list[Admitted] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    watching: Watching = field(init=False)
    ingest: Ingest | None = None
    full: bool = False
    shown: dict[str, Profile] = field(default_factory=dict)
    claiming: Claiming = field(default_factory=lambda: Claiming(None, stated))

    def __post_init__(self) -> None:
        self.watching = Watching(lambda message, _at: self.told.append(message), time.monotonic)

    async def judge(self, key: ParticipantKey, source: Source, profile: object = None) -> Admitted:
        if self.full:
            await source.close()
            raise AtCapacity("all places are taken", 1)
        self.guests.append(Admitted(key, source, self.watching))
        return self.guests[-1]

    def show(self, key: ParticipantKey, profile: Profile) -> None:
        self.shown[key.participant] = profile

    async def forget(self, call: str) -> None:
        await asyncio.gather(*(guest.end() for guest in self.guests if guest.call == call))

    @property
    def here(self) -> dict[str, Admitted]:
        """Who is there now, by name."""
        return {guest.participant: guest for guest in self.guests if not guest.ended}

    def status(self) -> dict[str, Any]:
        assert self.ingest is not None
        return self.ingest.describe()[0]

    async def until(self, condition: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not condition():  # noqa: ASYNC110 - sockets and other processes say it
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"not within {seconds:g} s: {what}; {self.status()}, here {list(self.here)}") from None

    async def judged(self, *names: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until just these are there, seen and heard."""
        await self.until(
            lambda: set(self.here) == set(names) and all(guest.is_seen_and_heard for guest in self.here.values()),
            f"{names} are seen and heard",
            seconds,
        )


@asynccontextmanager
async def supervised(**source: Any) -> AsyncIterator[House]:
    """Run a source until the context ends, with real pauses."""
    house = House()
    house.ingest = Ingest(configured_sources([SourceSettings.model_validate(source)]), house, Metrics())
    house.ingest.start()
    try:
        yield house
    finally:
        await house.ingest.close()


def reasons(house: House, call: str = "board") -> Mapping[str, str | None]:
    """Why each of those in a call is not watched, as the platform says."""
    people = house.watching._coverage.of(call)
    return {name: watch.announced and str(watch.announced) for name, watch in people.items() if watch.here}
