"""What Linux says of a process and of the machine: processor time, memory, names (proc(5))."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PROC = Path("/proc")
TICK = 1 / os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
PACKAGES = ("sidewitness", "openvino", "onnxruntime", "aiortc", "av", "numpy", "uvloop")


def stat_ticks(text: str) -> int:
    """User and system ticks in the text of a `stat` file; a name may hold blanks and brackets."""
    fields = text.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def busy_ticks(text: str) -> int:
    """Ticks that all processors worked for somebody, from the text of /proc/stat; idle and waiting are left out."""
    user, nice, system, _idle, _waiting, interrupts, soft = (int(n) for n in text.split(None, 8)[1:8])
    return user + nice + system + interrupts + soft


def cpu_seconds(pid: int, thread: int | None = None) -> float:
    """Processor seconds of a process since it began, or of one of its threads."""
    path = PROC / str(pid) if thread is None else PROC / str(pid) / "task" / str(thread)
    return stat_ticks((path / "stat").read_text()) * TICK


def rss_bytes(pid: int) -> int:
    """Resident memory of a process."""
    return int((PROC / str(pid) / "statm").read_text().split()[1]) * PAGE


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor seconds so far at a moment `at` (monotonic); `loop` is the main thread's share of `process`."""

    at: float
    process: float
    loop: float
    machine: float

    @classmethod
    def read(cls, pid: int, now: float) -> Usage:
        """Read the counters of a process; its event loop runs in its main thread."""
        machine = busy_ticks((PROC / "stat").read_text()) * TICK
        return cls(now, cpu_seconds(pid), cpu_seconds(pid, pid), machine)

    def since(self, before: Usage) -> Usage:
        """Give the difference to an earlier reading, `at` being the seconds between them."""
        return Usage(
            self.at - before.at,
            self.process - before.process,
            self.loop - before.loop,
            self.machine - before.machine,
        )


def describe_machine() -> dict[str, Any]:
    """Processor, cores that this process may use, memory, Python and the versions that matter."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "processor": processor((PROC / "cpuinfo").read_text()),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * PAGE / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": versions,
        "load_before": round(os.getloadavg()[0], 2),
    }


def processor(text: str) -> str:
    """Give the model's name in /proc/cpuinfo; ARM machines tell none."""
    names = (line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name"))
    return next(names, platform.machine())
