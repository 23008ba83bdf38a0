"""How busy the machine is, read from files as Linux writes them, and how many threads there are."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engines.batching.queue import BatchLoad, Drop
from monitor.host import cpu_load
from monitor.host.cpu_load import LoadMeter, UseMeter, cores_here, threads_here
from monitor.host.shedding import MachineLoad

NOWHERE = Path("/nowhere")


def stat(path: Path, **cores: list[int]) -> Path:
    """Write user, nice, system, idle, iowait, irq, softirq, steal, guest of each core."""
    rows = [f"{name} {' '.join(map(str, ticks))} 0 0" for name, ticks in cores.items()]
    path.write_text("cpu  1 2 3 4 5 6 7 8 0 0\n" + "\n".join(rows) + "\nintr 1 2\n")
    return path


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 2})


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that did nothing, in a second."""
    ticking = iter(range(100))
    monkeypatch.setattr(time, "process_time", lambda: 0.0)
    monkeypatch.setattr(time, "monotonic", lambda: float(next(ticking)))


@pytest.mark.usefixtures("two_cores", "idle")
@pytest.mark.parametrize(("niceness", "busy"), [(0, 0.5), (-5, 0.5), (15, 0.6)])
def test_what_anybody_uses_of_our_cores_is_load_but_for_lower_priority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, niceness: int, busy: float
) -> None:
    monkeypatch.setattr(os, "getpriority", lambda which, who: niceness)
    path = stat(tmp_path / "stat", cpu0=[0] * 8, cpu1=[0] * 8, cpu2=[0] * 8)
    meter = LoadMeter(stat=path, quota=NOWHERE)
    # Core 1 is not ours. Of 200 ticks of ours 60 are idle, 20 waiting, 20 at low priority.
    stat(path, cpu0=[40, 20, 10, 20, 10, 0, 0, 0], cpu1=[100, 0, 0, 0, 0, 0, 0, 0], cpu2=[30, 0, 10, 40, 10, 3, 3, 4])
    assert meter.read().cpu_share == pytest.approx(busy)
    assert meter.read() == MachineLoad(cpu_share=0.0)


@pytest.mark.usefixtures("two_cores")
def test_what_this_process_uses_is_load_where_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    used, now = iter([5.0, 6.5, 9.0, 9.0]), iter([100.0, 101.0, 102.0, 102.0])
    monkeypatch.setattr(time, "process_time", lambda: next(used))
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    meter = LoadMeter(stat=NOWHERE, quota=NOWHERE)
    assert [meter.read().cpu_share for _ in range(3)] == [0.75, 1.0, 0.0]


@pytest.mark.usefixtures("two_cores", "idle")
def test_a_batcher_tells_what_it_dropped_since_the_last_reading() -> None:
    loads = iter(
        [
            BatchLoad(wait_p95=0.02, dropped={Drop.DEADLINE: 3, Drop.CLOSED: 9}),
            BatchLoad(wait_p95=0.04, dropped={Drop.DEADLINE: 3, Drop.QUEUE_FULL: 2}),
        ]
    )
    meter = LoadMeter(lambda: next(loads), stat=NOWHERE, quota=NOWHERE)
    assert meter.read() == MachineLoad(batch_wait_seconds=0.02, refused=3)
    assert meter.read() == MachineLoad(batch_wait_seconds=0.04, refused=2)


@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize(
    ("written", "cores", "threads"),
    [("max 100000\n", 2.0, 2), ("150000 100000\n", 1.5, 2), ("50000 100000\n", 0.5, 1), ("800000 100000", 2.0, 2)],
)
def test_a_quota_counts_as_fewer_cores(tmp_path: Path, written: str, cores: float, threads: int) -> None:
    (tmp_path / "cpu.max").write_text(written)
    assert cores_here(tmp_path / "cpu.max") == cores
    assert threads_here(tmp_path / "cpu.max") == threads
    assert cores_here(NOWHERE) == 2.0


@pytest.mark.skipif(not cpu_load.STAT.exists(), reason="this system has no /proc/stat")
def test_this_machine_tells() -> None:
    meter = LoadMeter()
    assert 0.0 <= meter.read().cpu_share <= 1.0


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="this system has no /proc/self/task")
def test_numpy_brings_no_threads_of_its_own() -> None:
    told = "import os, sys, monitor.cli; print('numpy' in sys.modules, len(os.listdir('/proc/self/task')))"
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == ["True", "1"]


def test_what_a_process_uses_is_measured_over_whole_spans() -> None:
    times = [0.0, 0.0]
    meter = UseMeter(lambda: times[0], lambda: times[1], seconds=5.0)
    assert meter.read() is None
    times[:] = [4.0, 2.0]
    assert meter.read() is None
    times[:] = [6.0, 3.0]
    assert meter.read() == 0.5
    times[:] = [7.0, 4.0]
    assert meter.read() == 0.5
    times[:] = [12.0, 3.0 + 9.0]
    assert meter.read() == 1.5
