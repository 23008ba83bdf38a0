"""What a process and the machine use: processor time and memory, read with psutil; and what the machine is."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import psutil

T = TypeVar("T", int, float)

CPUINFO = Path("/proc/cpuinfo")
PACKAGES = ("sidewitness", "openvino", "onnxruntime", "aiortc", "av", "numpy", "uvloop")


def cpu_seconds(pid: int) -> float:
    """Read the processor seconds of a process since it began; raises `psutil.Error` when it has ended."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def main_thread_seconds(pid: int) -> float:
    """Read the processor seconds of a process's main thread; raises `psutil.Error` when it has ended."""
    main = next((thread for thread in psutil.Process(pid).threads() if thread.id == pid), None)
    if main is None:
        raise psutil.NoSuchProcess(pid)
    return main.user_time + main.system_time


def machine_seconds() -> float:
    """Read the seconds that all processors have worked for somebody; idle, waiting and stolen time is left out."""
    times = psutil.cpu_times()
    return times.user + times.nice + times.system + times.irq + times.softirq


def tree(pid: int) -> list[int]:
    """Return a process and all that it has started, directly or not; raises `psutil.Error` when it has ended."""
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def tree_cpu_seconds(pid: int) -> float:
    """Read the processor seconds of a process and of those it has started; raises `psutil.Error` when it has ended."""
    return cpu_seconds(pid) + sum(_or_nothing(cpu_seconds, child) for child in tree(pid)[1:])


def tree_rss_bytes(pid: int) -> int:
    """Read the resident memory of a process and of those it has started; pages that they share count in each."""
    return rss_bytes(pid) + sum(_or_nothing(rss_bytes, child) for child in tree(pid)[1:])


def _or_nothing(read: Callable[[int], T], pid: int) -> T | int:
    # One that has just ended is no reason to measure nothing.
    try:
        return read(pid)
    except psutil.Error:
        return 0


def rss_bytes(pid: int) -> int:
    """Read the resident memory of a process; raises `psutil.Error` when it has ended."""
    return psutil.Process(pid).memory_info().rss


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor seconds so far at a moment `at` (monotonic); `loop` is the main thread's share of `process`."""

    at: float
    process: float
    loop: float
    machine: float

    @classmethod
    def read(cls, pid: int, now: float, *also: int) -> Usage:
        """Read the counters of a process, whose event loop runs in its main thread, and of those it has started.

        The processes `also`, with those they have started, count as its own. Raises `psutil.Error`.
        """
        process_seconds = sum(map(tree_cpu_seconds, (pid, *also)))
        return cls(now, process_seconds, main_thread_seconds(pid), machine_seconds())

    def since(self, before: Usage) -> Usage:
        """Return the difference to an earlier reading, `at` being the seconds between them."""
        return Usage(
            self.at - before.at,
            self.process - before.process,
            self.loop - before.loop,
            self.machine - before.machine,
        )


def describe_machine() -> dict[str, Any]:
    """Describe processor, cores that this process may use, memory, Python and the versions that matter."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "processor": processor_name(CPUINFO.read_text()),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": versions,
        "load_before": round(os.getloadavg()[0], 2),
    }


def processor_name(cpuinfo: str) -> str:
    """Find the model's name in the text of /proc/cpuinfo; ARM machines give none there."""
    names = (line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name"))
    return next(names, platform.machine())
