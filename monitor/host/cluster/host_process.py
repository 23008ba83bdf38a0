"""One host in a process of its own: it judges, and says and asks everything else over a link to its gateway.

Run as `python -m monitor.host.cluster.host_process FD [FACTORY]`, where `FD` is its end of a socket; it ends with the
link.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from engines.errors import SidewitnessError
from monitor.config import Settings, SourceSettings
from monitor.host import logging as log
from monitor.host.cluster.channel import Channel, StreamChannel
from monitor.host.cluster.far_gateway import FarMemory, FarVault, Words
from monitor.host.cluster.frames import VERSION
from monitor.host.cluster.host_settings import settings_of
from monitor.host.cluster.link import Link
from monitor.host.cluster.liveness import BEAT_SECONDS
from monitor.host.cluster.metrics import families_of
from monitor.host.cpu_load import LoadMeter, UseMeter
from monitor.host.host import Host
from monitor.host.ingest import Ingest
from monitor.host.judging import Judging
from monitor.host.metrics import Metrics
from monitor.host.publication import PeerPublication
from monitor.host.tenants import TenantHost

Factory = Callable[[Settings, FarVault], Judging]
JUDGING = "monitor.host.cluster.hosted_judging:judging"
_PR_SET_PDEATHSIG = 1


class TenantWays:
    """The ways in of each tenant on this host, made when it is first given one."""

    def __init__(self, host: Host, metrics: Metrics) -> None:
        self._host, self._metrics = host, metrics
        self._ingests: dict[str, Ingest] = {}

    @property
    def every(self) -> list[Ingest]:
        """Those of all tenants."""
        return list(self._ingests.values())

    def of(self, tenant: str) -> Ingest:
        """Those of a tenant."""
        if tenant not in self._ingests:
            made = self._ingests[tenant] = Ingest([], TenantHost(tenant, self._host), self._metrics)
            made.start()
        return self._ingests[tenant]

    async def remove(self, number: int) -> bool:
        """End a source, whose number no other has; False where there is none."""
        return any([await one.remove(number) for one in self.every])

    async def close(self) -> None:
        """End every source."""
        await asyncio.gather(*(one.close() for one in self.every))


class HostProcess:
    """A host behind a link; `factory` makes what judges, in a thread, and raises `SidewitnessError` where it cannot."""

    def __init__(self, channel: Channel, factory: Factory) -> None:
        self._link = Link(channel, self._said, self._asked)
        self._factory = factory
        self._parts: tuple[Judging, Host, TenantWays, Metrics] | None = None
        self._memory: FarMemory | None = None
        self._publications: dict[int, PeerPublication] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._offers: Any = None
        self._asks: dict[str, Callable[[Any], Awaitable[Any]]] = {
            "publish": self._publish,
            "wait": self._wait,
            "candidates": self._candidates,
            "end": self._end,
            "remove": self._remove,
            "add_source": self._add_source,
            "remove_source": lambda number: self._here[2].remove(number),
            "act": lambda body: self._here[2].of(body[0]).act(*body[1:]),
            "metrics": self._metrics,
            "drain": self._drain,
        }

    async def run(self) -> None:
        """Say who is here, and serve until the gateway is gone or lets this host go."""
        self._link.say("hello", {"version": VERSION, "pid": os.getpid(), "now": time.monotonic()})
        self._begin(self._beat())
        await self._link.run()
        for task in self._tasks:
            task.cancel()

    @property
    def _here(self) -> tuple[Judging, Host, TenantWays, Metrics]:
        if self._parts is None:
            raise RuntimeError("this host is not ready yet")
        return self._parts

    def _said(self, op: str, body: Any) -> None:
        match op:
            case "configure":
                self._begin(self._build(body))
            case "stranger" if self._memory is not None:
                self._memory.stranger(**body)
            case "call_is_over" if self._memory is not None:
                self._memory.call_is_over(body)
            case "warm_up" if self._parts is not None:
                asyncio.get_running_loop().run_in_executor(None, self._parts[0].warm_up)
            case "bye":
                self._link.close()

    async def _asked(self, op: str, body: Any) -> Any:
        return await self._asks[op](body)

    async def _build(self, words: dict[str, Any]) -> None:
        """Make ready to judge, or say why that cannot be."""
        settings = settings_of(words["settings"])
        log.configure(settings.log_level, settings.log_format, words["secrets"])
        structlog.contextvars.bind_contextvars(host=words["number"])
        vault = FarVault(self._link, asyncio.get_running_loop())
        try:
            how = await asyncio.to_thread(self._factory, settings, vault)
        except SidewitnessError as error:
            self._link.say("failed", str(error))
            return
        words_of_it, self._memory = Words(self._link), FarMemory(self._link, settings.rejoin_seconds)
        batch_load = how.batched.load if how.batched is not None else None
        metrics = Metrics(settings.metrics_min_participants)
        if batch_load is not None:
            metrics.batching(batch_load)
        host = Host(
            how.session,
            how.answer,
            words_of_it,
            words_of_it,
            metrics,
            settings.hop_seconds,
            settings.max_participants,
            settings.session_threads,
            LoadMeter(batch_load).read,
            rejoin_seconds=settings.rejoin_seconds,
            claimed=how.claimed,
            packs=how.packs,
            memory=self._memory,
            watching=words_of_it,
            checkpoint=words_of_it.checkpoint,
        )
        words_of_it.find = host.find
        self._parts = how, host, TenantWays(host, metrics), metrics
        self._link.say("ready")

    async def _beat(self) -> None:
        """Say again and again that this host lives, and how it does."""
        use = UseMeter()
        while True:
            said: dict[str, Any] = {"full": False, "strained": False, "used": use.read()}
            offers = None
            if self._parts is not None:
                _, host, ways, _ = self._parts
                said |= {"full": host.full, "strained": host.strained}
                offers = [offer for ingest in ways.every for offer in _offers(ingest)]
            if offers != self._offers:
                said["sources"] = self._offers = offers
            self._link.say("beat", said)
            await asyncio.sleep(BEAT_SECONDS)

    async def _publish(self, body: dict[str, Any]) -> dict[str, Any]:
        publication = await self._here[1].publish(body["key"], body["offer"], body["owner"], body["profile"])
        self._publications[body["id"]] = publication
        return {"answer": publication.answer, "etag": publication.etag}

    async def _wait(self, number: int) -> None:
        try:
            await self._publications[number].wait()
        finally:
            del self._publications[number]

    async def _candidates(self, body: dict[str, Any]) -> None:
        publication = self._publications.get(body["id"])
        if publication is not None:
            await publication.add_candidates(body["fragment"])

    async def _end(self, number: int) -> None:
        publication = self._publications.get(number)
        if publication is not None:
            await publication.end()

    async def _remove(self, place: tuple[str, str]) -> bool:
        return await self._here[1].remove(*place)

    async def _add_source(self, body: dict[str, Any]) -> Any:
        ingest = self._here[2].of(body["tenant"])
        return await ingest.add(SourceSettings.model_validate(body["settings"]), body["number"])

    async def _metrics(self, _body: None) -> Any:
        return families_of(self._here[3].registry)

    async def _drain(self, moved: str | None) -> None:
        _, host, ways, _ = self._here
        await asyncio.gather(host.drain(moved), ways.close())

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Whoever does not know what to do any more is better begun anew.
            structlog.stdlib.get_logger("cluster").error("a host has failed: it ends", exc_info=error)
            self._link.close()


def _offers(ingest: Ingest) -> list[dict[str, Any]]:
    """Describe every source with what can be done there; how long its phase has lasted is left to whoever is told."""
    described = {one["source"]: one for one in ingest.describe()}
    return [
        {**one, "about": {name: value for name, value in described[one["source"]].items() if name != "seconds"}}
        for one in ingest.offers()
    ]


def die_with_parent(parent: int) -> None:
    """Have the kernel end this process when its parent does (prctl(2)); leave at once where it has ended already.

    The end of the link says it too, to whoever still runs its event loop.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            raise SystemExit(0)


async def serve(number: int, factory: Factory) -> None:
    """Serve over the socket of this number, which was inherited."""
    channel = await StreamChannel.over(socket.socket(fileno=number))
    await HostProcess(channel, factory).run()


def main(arguments: list[str]) -> None:
    """Run a host until its link ends."""
    import uvloop

    from engines.registry import resolve

    # The gateway lets its hosts go in order; what is typed at a terminal is for the gateway.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    number, parent, factory = arguments
    die_with_parent(int(parent))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(number), resolve(factory)))


if __name__ == "__main__":
    main(sys.argv[1:])
    # Threads that still judge for nobody are not waited for.
    os._exit(0)
