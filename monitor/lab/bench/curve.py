"""How cost grows with participants: cores, age of scores and memory of one sidecar, to which one after another comes.

Nobody leaves in between, so that memory is what so many take in the same sidecar; what the first one brings for all is
in the first point. It goes on where a call does not hold, because what becomes of it then is part of the curve.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from monitor.lab.bench.capacity import STEP_SECONDS, CapacityStep, step_of
from monitor.lab.bench.live import check_network
from monitor.lab.bench.processes import BenchSetup, Progress, PublisherProcess, SidecarFull, publisher
from monitor.lab.bench.subscriber import subscribed


@dataclass(frozen=True, slots=True)
class Curve:
    """Calls in the order of their size, judged by so many processes on so many cores.

    `refused_at` is the size at which there was no room. `publisher_late` is by how much the sender fell behind at some
    time, which is known when it has ended.
    """

    points: tuple[CapacityStep, ...]
    processes: int
    cores: int
    idle_mb: float
    refused_at: int | None
    publisher_late: float
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return asdict(self) | {"points": [{**asdict(point), "held": point.held} for point in self.points]}


def sizes(most: int) -> list[int]:
    """Return the sizes of the calls up to `most`: each one first, then ever larger steps, and `most` itself."""
    chosen, step = [1], 1
    while chosen[-1] < most:
        if chosen[-1] >= 4 * step:
            step *= 2
        chosen.append(min(most, chosen[-1] + step))
    return chosen


async def measure(
    stream: Path,
    setup: BenchSetup,
    most: int,
    machine_cores: int,
    seconds: float = STEP_SECONDS,
    progress: Progress = lambda _part, _done: None,
) -> Curve:
    """Measure calls of up to `most` participants, `seconds` each; raises `BenchError`."""
    check_network()
    points: list[CapacityStep] = []
    senders: list[PublisherProcess] = []
    refused_at: int | None = None
    async with subscribed(setup, most) as subscription, AsyncExitStack() as stack:
        server, observer = subscription.server, subscription.observer
        idle_mb = server.rss() / 1e6
        for size in sizes(most):
            part = f"a call of {size}"
            progress(part, 0.0)
            people = range((points[-1].participants if points else 0) + 1, size + 1)
            coming = publisher(stream, server, people, setup, observer, lambda _part, _done: None)
            try:
                senders.append(await stack.enter_async_context(coming))
            except SidecarFull:
                refused_at = size
                break
            await subscription.settle(size)
            span = await subscription.span(seconds, *senders, progress=partial(progress, part))
            points.append(step_of(span, size, 0.0))
    late = max((sender.late for sender in senders), default=0.0)
    cores = len(setup.cores or ()) or machine_cores
    return Curve(tuple(points), setup.processes, cores, idle_mb, refused_at, late, seconds)
