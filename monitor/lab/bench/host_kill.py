"""The busiest host is killed under a live call: how soon that is told, and how soon its participants are judged again.

Whoever was on it publishes again when they are told, as a client does that finds its session gone.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from monitor.lab.bench.child import BenchError
from monitor.lab.bench.live import check_network
from monitor.lab.bench.observations import Observer
from monitor.lab.bench.process_usage import cpu_seconds
from monitor.lab.bench.processes import BenchSetup, Progress, SidecarProcess, publisher
from monitor.lab.bench.subscriber import Subscription, subscribed

HOST = "monitor.host.cluster.host_process"
WAIT_SECONDS = 60.0
# Over which it is seen who is at work.
BUSY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class HostKill:
    """Seconds from the kill to the word of it, and from then, each the slowest of so many participants.

    `again_seconds` is from the kill to the first score after it, `published_seconds` how long publishing again took of
    that; None where it did not come.
    """

    participants: int
    told_seconds: float | None
    again_seconds: float | None
    published_seconds: float | None

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return asdict(self)


async def measure(
    stream: Path,
    setup: BenchSetup,
    participants: int = 2,
    progress: Progress = lambda _part, _done: None,
) -> HostKill:
    """Publish for so many, kill the busiest host, and publish those anew who were on it; raises `BenchError`."""
    check_network()
    async with subscribed(setup, participants) as subscription, AsyncExitStack() as stack:
        observer = subscription.observer
        people = range(1, participants + 1)
        for number in people:
            sent = (stream, subscription.server, range(number, number + 1), setup, observer, progress)
            await stack.enter_async_context(publisher(*sent))
        await subscription.settle(participants, lambda done: progress("waiting for the first verdicts", done))
        hosts = hosts_of(subscription.server)
        before = {host: cpu_seconds(host) for host in hosts}
        await subscription.pause(BUSY_SECONDS)
        busiest = max(hosts, key=lambda host: cpu_seconds(host) - before[host])
        killed = time.monotonic()
        os.kill(busiest, signal.SIGKILL)
        lost = await _told(subscription, killed)
        told = max((observer.unmonitored[who][-1] for who in lost), default=None)
        began = time.monotonic()
        for who in lost:
            number = int(who.removeprefix("p"))
            sent = (stream, subscription.server, range(number, number + 1), setup, observer, progress)
            await stack.enter_async_context(publisher(*sent))
        published = time.monotonic()
        again = await _scored(subscription, lost, began)
        return HostKill(
            len(lost),
            None if told is None else told - killed,
            None if again is None else again - killed,
            published - began if lost else None,
        )


def hosts_of(server: SidecarProcess) -> list[int]:
    """Return the processes of a sidecar that judge; raises `BenchError` where there are none."""
    children = psutil.Process(server.process.pid).children(recursive=True)
    found = [child.pid for child in children if HOST in child.cmdline()]
    if not found:
        raise BenchError("no process of the sidecar judges apart: give --processes 2 or more")
    return found


async def _told(subscription: Subscription, since: float) -> list[str]:
    """Wait until somebody was told to be watched by nobody, and a moment for the others; return who."""
    deadline = since + WAIT_SECONDS
    while not (lost := _lost(subscription.observer, since)) and time.monotonic() < deadline:
        await subscription.pause(0.05)
    await subscription.pause(0.25)
    return _lost(subscription.observer, since) or lost


def _lost(observer: Observer, since: float) -> list[str]:
    return sorted(who for who, moments in observer.unmonitored.items() if moments[-1] >= since)


async def _scored(subscription: Subscription, people: list[str], since: float) -> float | None:
    """Wait until everybody was scored after a moment; return when the last of them was first."""
    deadline = since + WAIT_SECONDS
    while time.monotonic() < deadline:
        first = [next((at for at in subscription.observer.scored.get(who, []) if at > since), None) for who in people]
        if people and None not in first:
            return max(at for at in first if at is not None)
        await subscription.pause(0.1)
    return None
