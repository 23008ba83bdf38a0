"""One source tried on its own: joined, what became of it told in a line, and left again. Nobody is judged."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from monitor.host.sources import ConfiguredSource
from monitor.tap.media.source import Source, SourceError
from plugins.base import Listed

CHECK_SECONDS = 15.0
# How long somebody who waits for others is given to see them come.
WAIT_SECONDS = 3.0
LEAVE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What became of a source: whether it is well, and a line that says how, or what is wrong and what to do."""

    number: int
    plugin: str
    is_well: bool
    said: str


class _Visitor:
    """A participant of whom nothing is judged."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._left = asyncio.Event()

    @property
    def ended(self) -> bool:
        return self._left.is_set()

    async def wait(self) -> None:
        await self._left.wait()

    async def end(self) -> None:
        if not self._left.is_set():
            self._left.set()
            await self._source.close()


@dataclass
class _Observer:
    """The intake of a source that is only tried."""

    joined: asyncio.Event = field(default_factory=asyncio.Event)
    waits: asyncio.Event = field(default_factory=asyncio.Event)
    why: str = ""
    visitors: list[_Visitor] = field(default_factory=list)

    async def admit(
        self, call: str, participant: str, source: Source, identity: str | None = None, profile: object = None
    ) -> _Visitor:
        self.visitors.append(_Visitor(source))
        return self.visitors[-1]

    def roster(self, call: str, listed: Sequence[Listed]) -> None:
        """Take no note of whom a platform lists."""

    async def claims(self, call: str, participant: str, identity: str | None = None, profile: object = None) -> bool:
        """Compare nobody."""
        return False

    async def forget(self, call: str) -> None:
        """Keep nothing."""

    def connected(self) -> None:
        self.joined.set()

    def waiting(self, why: str) -> None:
        self.why = why
        self.waits.set()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def leave(self) -> None:
        await asyncio.gather(*(visitor.end() for visitor in self.visitors), return_exceptions=True)


async def check(
    source: ConfiguredSource, seconds: float = CHECK_SECONDS, wait_seconds: float = WAIT_SECONDS
) -> CheckResult:
    """Join the other side of a source and leave it again, within `seconds`; one who waits is given `wait_seconds`."""
    observer = _Observer()
    running = asyncio.create_task(source.spec.open(source.options).run(observer))
    joining = asyncio.create_task(observer.joined.wait())
    waiting = asyncio.create_task(observer.waits.wait())
    tasks = {running, joining, waiting}
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done() and not joining.done() and not running.done():
            await asyncio.wait({running, joining}, timeout=wait_seconds, return_when=asyncio.FIRST_COMPLETED)
        is_well, said = _verdict(running, observer, seconds)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=LEAVE_SECONDS)
        await observer.leave()
    return CheckResult(source.number, source.spec.name, is_well, said)


def _verdict(running: asyncio.Task[None], observer: _Observer, seconds: float) -> tuple[bool, str]:
    error = running.exception() if running.done() and not running.cancelled() else None
    if isinstance(error, SourceError):
        return False, str(error)
    if error is not None or running.cancelled():
        # Of what is not ours only the type: its text may quote names and secrets.
        return False, f"{type(error).__name__ if error else 'it cancelled itself'} in the plug-in: please report it"
    if observer.joined.is_set():
        return True, "connected"
    if observer.waits.is_set():
        return True, f"waiting: {observer.why}"
    if running.done():
        return True, "it has ended already: there is nobody to bring"
    return False, f"no answer within {seconds:g} s: see that the address is right and that no firewall is in between"
