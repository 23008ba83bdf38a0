"""One host as the gateway sees it: begun, spoken to, watched, and begun again when it is gone."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from engines.errors import SidewitnessError
from monitor.alerts.retry import retry_delay_seconds
from monitor.host.cluster.frames import VERSION
from monitor.host.cluster.launch import END_SECONDS, Launch, Running
from monitor.host.cluster.link import Link, LinkLost
from monitor.host.cluster.liveness import BEAT_SECONDS, STARTING_SILENT_SECONDS, Liveness
from monitor.host.supervision import SourcePhase, Supervision

LONGEST_RESTART_SECONDS = 8.0


class CannotStart(SidewitnessError):  # noqa: N818 - of a host, as it says it
    """A host cannot judge; the message is the host's own line, and says what to do."""


class Hears(Protocol):
    """Who hears a host: all of it on the event loop."""

    def said(self, host: FarHost, op: str, body: Any) -> None:
        """Take what it says."""
        ...

    async def asked(self, host: FarHost, op: str, body: Any) -> Any:
        """Answer what it asks."""
        ...

    def came(self, host: FarHost) -> None:
        """Take note that it is ready to judge."""
        ...

    def gone(self, host: FarHost) -> None:
        """Take note that it is there no more, and that nothing more will come of it."""
        ...


@dataclass(frozen=True, slots=True)
class Timing:
    """The clock and the waits of a supervisor."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random


class FarHost:
    """The host of a number; `words` is what it is told first."""

    def __init__(
        self, number: int, launch: Launch, words: Mapping[str, Any], hears: Hears, timing: Timing | None = None
    ) -> None:
        self.number = number
        self._launch, self._words, self._hears = launch, words, hears
        self._timing = timing or Timing()
        self.status = Supervision(since=self._timing.clock())
        self.full = self.leaving = self.strained = False
        # Cores that it uses, None before that is measured.
        self.used: float | None = None
        self.starts = 0
        # By how much its clock is behind that of the gateway: they have one where it is a process of this machine.
        self.behind = 0.0
        self.running: Running | None = None
        self._link: Link | None = None
        self._failure: str | None = None
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether it judges."""
        is_ready = self.status.phase is SourcePhase.CONNECTED and self._link is not None
        return is_ready and not self._closing

    @property
    def open(self) -> bool:
        """Whether it takes anybody new."""
        return self.ready and not self.leaving

    @property
    def pid(self) -> int | None:
        """The number of its process, None while there is none, or none on this machine."""
        return self.running.pid if self.running is not None else None

    def start(self) -> None:
        """Begin it, on the running loop, and begin it again whenever it is gone."""
        self._task = asyncio.create_task(self._run(), name=f"host {self.number}")

    async def first_start(self) -> None:
        """Wait until it is ready for the first time; raises `CannotStart` where it cannot be."""
        await self._settled.wait()
        if self._failure is not None and not self.ready:
            raise CannotStart(self._failure)

    def say(self, op: str, body: Any = None) -> None:
        """Say something; nothing happens where it is gone."""
        if self._link is not None:
            self._link.say(op, body)

    async def ask(self, op: str, body: Any = None, **how: Any) -> Any:
        """Ask something; raises what it answers, `LinkLost`, or `TimeoutError`."""
        if self._link is None:
            raise LinkLost("the host is gone")
        return await self._link.ask(op, body, **how)

    async def close(self) -> None:
        """Let it go, and begin it no more: whoever is judged there must have ended before."""
        self._closing = True
        if self._link is not None:
            self._link.say("bye")
            self._link.close()
        if self._task is not None:
            if self.running is None:
                self._task.cancel()
            await asyncio.wait([self._task])

    def renew(self) -> None:
        """Begin it anew at once, where it is `leaving`: whoever was judged there has ended, or is ended with it."""
        if self.leaving and self._link is not None:
            self._link.say("bye")
            self._link.close()

    async def _run(self) -> None:
        while not self._closing:
            self.status = self.status.begin(self._timing.clock())
            try:
                await self._once()
            except OSError as error:
                self._failure = f"a host cannot be started ({error.strerror or type(error).__name__})"
            except Exception as error:
                # Whatever it is: whoever waits for this host must not wait for ever.
                self._failure = f"a host cannot be started ({type(error).__name__}): please report it"
                self._log().exception("a host cannot be started")
            self._settled.set()
            if self.leaving and self._failure is None:
                self.leaving = False
                self._log().info("a host was let go: it is begun anew")
            elif not self._closing:
                self.leaving = False
                await self._timing.sleep(self._note_loss())

    async def _once(self) -> None:
        """Run it once, until it is gone."""
        self.starts += 1
        self.full = self.strained = False
        self.used = self._failure = None
        running = self.running = await self._launch(self.number)
        link = self._link = Link(running.channel, self._said, self._asked, self._gone)
        watching = asyncio.create_task(self._watch(link, running), name="liveness")
        try:
            await link.run()
        finally:
            watching.cancel()
            await running.end(END_SECONDS if self._closing or self.leaving else 0.0)
            self.running = None

    async def _asked(self, op: str, body: Any) -> Any:
        return await self._hears.asked(self, op, body)

    def _gone(self) -> None:
        """Have everybody taken off before anybody is told that their publication has ended: they publish anew."""
        self._link = None
        self._hears.gone(self)

    async def _watch(self, link: Link, running: Running) -> None:
        """Kill it when it has been silent for too long."""
        seen, lives = link.heard, Liveness(self._timing.clock(), limit=STARTING_SILENT_SECONDS)
        while not lives.dead:
            await self._timing.sleep(BEAT_SECONDS)
            if self.ready and lives.limit == STARTING_SILENT_SECONDS:
                lives = Liveness(lives.looked)
            lives, seen = lives.look(self._timing.clock(), link.heard != seen), link.heard
        self._log().error("a host is silent: it is ended", seconds=lives.silent)
        await running.end()

    def _said(self, op: str, body: Any) -> None:
        match op:
            case "hello":
                self._greet(body)
            case "ready":
                self.status = self.status.connected(self._timing.clock())
                self._log().info("a host is ready", pid=self.pid)
                self._hears.came(self)
                self._settled.set()
            case "failed":
                self._failure = str(body)
                self.close_link()
            case "beat":
                self.full, self.strained, self.used = bool(body["full"]), bool(body["strained"]), body["used"]
                self._hears.said(self, op, body)
            case _:
                self._hears.said(self, op, body)

    def _greet(self, body: Mapping[str, Any]) -> None:
        if body["version"] != VERSION:
            self._failure = "a host is of another version: update all machines"
            self.close_link()
        else:
            self.behind = 0.0 if self.pid is not None else self._timing.clock() - body["now"]
            self.say("configure", dict(self._words))

    def close_link(self) -> None:
        """Have done with this run of it; it is begun again unless it was let go."""
        if self._link is not None:
            self._link.close()

    def _note_loss(self) -> float:
        why = self._failure or "it ended"
        self.status = self.status.failed(self._timing.clock(), why)
        delay = retry_delay_seconds(self.status.failures, self._timing.jitter(), LONGEST_RESTART_SECONDS)
        self._log().error("a host is gone: it is started again", why=why, retry_seconds=round(delay, 2))
        return delay

    def _log(self) -> structlog.stdlib.BoundLogger:
        logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("cluster")
        return logger.bind(host=self.number, failures=self.status.failures)
