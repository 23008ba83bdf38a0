"""The sidecar as a plug-in sees it, on its own: notes what it is told and reads what is brought."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from monitor.tap.kit import SAMPLE_RATE_HZ, AudioBlock, ClockState, MediaItem, Profile, Source, TrackFault, VideoFrame
from plugins.base import Listed, NoRoom

PATIENCE_SECONDS = 30.0


class Guest:
    """Somebody who was brought: their media are counted until they end."""

    def __init__(self, call: str, participant: str, source: Source, identity: str | None) -> None:
        self.call, self.participant, self.source, self.identity = call, participant, source, identity
        self.pictures = self.blocks = 0
        self.faults: list[TrackFault] = []
        self.clock: ClockState | None = None
        self.flashes: list[float] = []
        self.beeps: list[float] = []
        self._lit = self._loud = False
        self._task = asyncio.create_task(self._read())

    @property
    def ended(self) -> bool:
        return self._task.done()

    async def wait(self) -> None:
        await asyncio.wait([self._task])

    async def end(self) -> None:
        await self.source.close()
        await self.wait()

    async def _read(self) -> None:
        async for item in self.source:
            self._take(item)

    def _take(self, item: MediaItem) -> None:
        if not isinstance(item, TrackFault):
            self.clock = item.stamp.state
        match item:
            case VideoFrame():
                self.pictures += 1
                lit = float(item.y.mean()) > 120
                if lit and not self._lit and self.clock is ClockState.MAPPED:
                    self.flashes.append(item.stamp.capture)
                self._lit = lit
            case AudioBlock():
                self.blocks += 1
                level = np.abs(item.samples) > 0.1
                if level.any() and not self._loud and self.clock is ClockState.MAPPED:
                    self.beeps.append(item.stamp.capture + int(np.argmax(level)) / SAMPLE_RATE_HZ)
                self._loud = bool(level.any())
            case TrackFault():
                self.faults.append(item)

    @property
    def gaps(self) -> list[float]:
        """By how many seconds of capture time the beep was after each flash, which are of one moment."""
        nearest = [min((beep - flash for beep in self.beeps), key=abs, default=9.0) for flash in self.flashes]
        return [gap for gap in nearest if abs(gap) < 0.45]

    @property
    def is_seen_and_heard(self) -> bool:
        return self.pictures > 2 and self.blocks > 5


@dataclass
class Reception:
    """Takes in whoever is brought; refuses as often as it is told to. Nobody waits for its sleeps."""

    refusals: int = 0
    guests: list[Guest] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    naps: bool = False
    listed: dict[str, Sequence[Listed]] = field(default_factory=dict)
    protected: set[str] = field(default_factory=set)
    forgotten: list[str] = field(default_factory=list)
    profiles: list[object] = field(default_factory=list)

    async def admit(
        self, call: str, participant: str, source: Source, identity: str | None = None, profile: object = None
    ) -> Guest:
        if self.refusals:
            self.refusals -= 1
            await source.close()
            raise NoRoom("all places are taken", 5.0)
        self.guests.append(Guest(call, participant, source, identity))
        self.profiles.append(profile)
        return self.guests[-1]

    def roster(self, call: str, listed: Sequence[Listed]) -> None:
        self.listed[call] = listed

    async def claims(
        self, call: str, participant: str, identity: str | None = None, profile: Profile | None = None
    ) -> bool:
        shown = profile.display_name if profile is not None else None
        return identity is not None or shown in self.protected

    async def forget(self, call: str) -> None:
        self.forgotten.append(call)

    def connected(self) -> None:
        self.said.append("connected")

    def waiting(self, why: str) -> None:
        self.said.append(why)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(min(seconds, 0.2) if self.naps else 0)

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not condition():  # noqa: ASYNC110 - sockets and other processes say it
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"never: {what}; said {self.said}") from None

    async def close(self) -> None:
        await asyncio.gather(*(guest.end() for guest in self.guests))
