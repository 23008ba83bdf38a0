"""How busy this machine is: of the cores that this process may use, the share that is in use, by whomever."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.host.shedding import MachineLoad

if TYPE_CHECKING:
    from engines.batching.queue import BatchLoad

STAT = Path("/proc/stat")
# What a container may use, in microseconds of all cores a period (cgroup v2).
QUOTA = Path("/sys/fs/cgroup/cpu.max")
_NICE, _IDLE, _WAITING, _FIELDS = 1, 3, 4, 8


def cores_here(quota: Path = QUOTA) -> float:
    """Give the cores that this process may use: those it may run on, or less where a container has a quota."""
    count = float(len(os.sched_getaffinity(0)))
    try:
        limit, period = quota.read_text().split()
        return min(count, int(limit) / int(period))
    except (OSError, ValueError):
        return count


def threads_here(quota: Path = QUOTA) -> int:
    """Give how many threads can work at the same time."""
    return max(1, ceil(cores_here(quota)))


class UseMeter:
    """How many cores this process uses, over spans of `seconds`."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.process_time,
        seconds: float = 5.0,
    ) -> None:
        self._clock, self._cpu, self._seconds = clock, cpu, seconds
        self._began = clock(), cpu()
        self._used: float | None = None

    def read(self) -> float | None:
        """Return what was used in the last whole span; None before the first is over."""
        elapsed = self._clock() - self._began[0]
        if elapsed >= self._seconds:
            used, self._began = self._cpu() - self._began[1], (self._clock(), self._cpu())
            self._used = used / elapsed
        return self._used


class LoadMeter:
    """Reads the load since it was read last; `load` tells how the batcher is doing, where there is one."""

    def __init__(self, load: Callable[[], BatchLoad] | None = None, stat: Path = STAT, quota: Path = QUOTA) -> None:
        self._load, self._stat, self._quota = load, stat, quota
        self._refused = 0
        self._process = time.monotonic(), time.process_time()
        self._system = self._ticks()

    def read(self) -> MachineLoad:
        """Return what passed since the last reading; the event loop's delay is the caller's to add."""
        cpu_share = min(1.0, max(self._process_share(), self._system_share()))
        if self._load is None:
            return MachineLoad(cpu_share)
        load = self._load()
        refused, self._refused = load.dropped_total - self._refused, load.dropped_total
        return MachineLoad(cpu_share, batch_wait_seconds=load.wait_p95, refused=refused)

    def _process_share(self) -> float:
        """Share of what this process may use, which a quota limits, that it did use."""
        (then, before), self._process = self._process, (time.monotonic(), time.process_time())
        seconds = (self._process[0] - then) * cores_here(self._quota)
        return (self._process[1] - before) / seconds if seconds > 0.0 else 0.0

    def _system_share(self) -> float:
        """Share of the cores that anybody used; work at lower priority than ours gives way and is room."""
        (free, total), self._system = self._system, self._ticks()
        elapsed = self._system[1] - total
        return 1.0 - (self._system[0] - free) / elapsed if elapsed > 0 else 0.0

    def _ticks(self) -> tuple[int, int]:
        """Free ticks and all ticks of the cores that this process may run on; none where the system does not tell."""
        allowed = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        has_priority = os.getpriority(os.PRIO_PROCESS, 0) <= 0
        free = total = 0
        try:
            rows = [line.split() for line in self._stat.read_text().splitlines() if line.startswith("cpu")]
        except OSError:
            return 0, 0
        for name, *numbers in rows:
            if name in allowed:
                ticks = [int(number) for number in numbers[:_FIELDS]]
                free += ticks[_IDLE] + ticks[_WAITING] + (ticks[_NICE] if has_priority else 0)
                total += sum(ticks)
        return free, total
