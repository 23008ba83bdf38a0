"""The process that decodes clips: what it may not do, what it does not know, and that it dies alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from monitor.tap import clip_process
from monitor.tap.clip_process import ClipProcess, try_out
from monitor.tap.media.config import ClipLimits
from monitor.tap.media.source import SourceError
from monitor.tap.replay import probe_clip, read_clip
from monitor.tap.sandbox.workers import Workers
from tests.monitor.tap.bombs import compressed_header
from tests.monitor.tap.clips import write_clip

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's filter is Linux's")
MODULE = "monitor.tap.clip_worker"
SECRET = "SIDEWITNESS_TOKEN"
FORKS = """
import os, sys
from monitor.tap.replay import probe_clip
clip = sys.argv[1]
assert probe_clip(clip).has_video
child = os.fork()
if child == 0:
    os._exit(0 if probe_clip(clip).has_video else 1)
assert os.waitpid(child, 0)[1] == 0
assert probe_clip(clip).has_video
"""


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "a.mp4", seconds=4.0)


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Workers]:
    """A zygote of this test alone, started beside a secret."""
    monkeypatch.setenv(SECRET, "of the operator")
    fresh = Workers(MODULE)
    monkeypatch.setattr(clip_process, "_workers", fresh)
    yield fresh
    for process in zygotes():
        process.kill()


def zygotes() -> list[psutil.Process]:
    living = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in living if MODULE in child.cmdline()]


def decoders() -> list[psutil.Process]:
    """The processes that decode; their keepers, which have children, left out."""
    below = [process for zygote in zygotes() for process in zygote.children(recursive=True)]
    return [process for process in below if not process.children()]


@linux
def test_it_may_compute_and_talk_and_nothing_else() -> None:
    told = try_out()
    assert {told[name] for name in ("filtered", "locked", "unprivileged")} == {True}
    assert told["offline"] is (os.geteuid() == 0)
    assert sorted(told["refused"]) == ["fork", "kill", "open", "root", "socket"]


@linux
def test_its_limits_are_those_of_a_clip(clip: Path) -> None:
    with ClipProcess(clip) as process:
        process.header()
        items = process.items()
        next(items)
        (worker,) = decoders()
        told = Path(f"/proc/{worker.pid}/limits").read_text().splitlines()
    limits, seconds = ClipLimits(), ClipLimits().cpu_seconds(clip.stat().st_size)
    in_force = {line[:26].strip(): line[26:].split()[:2] for line in told}
    assert in_force["Max address space"] == [str(limits.memory_bytes)] * 2
    assert in_force["Max cpu time"] == [str(seconds), str(seconds + 1)]
    assert in_force["Max file size"] == in_force["Max processes"] == in_force["Max core file size"] == ["0", "0"]
    assert in_force["Max open files"] == ["64", "64"]


def test_it_knows_no_secret(workers: Workers, clip: Path) -> None:
    probe_clip(clip)
    assert workers
    (zygote,) = zygotes()[-1:]
    assert SECRET not in zygote.environ()
    assert SECRET in os.environ


def test_it_ends_with_whoever_reads(clip: Path) -> None:
    items = read_clip(clip)
    next(items)
    running = decoders()
    assert running
    items.close()
    assert psutil.wait_procs(running, timeout=10.0)[1] == []


def test_it_is_ended_in_the_middle_of_its_work(tmp_path: Path) -> None:
    path = compressed_header(tmp_path / "a.mov")
    with ClipProcess(path, replace(ClipLimits(), memory_bytes=4 << 30)):
        # It inflates for seconds, in which it says nothing and hears nothing.
        deadline, busy = time.monotonic() + 10.0, list[psutil.Process]()
        while not busy:
            assert time.monotonic() < deadline
            busy = [process for process in decoders() if is_busy(process)]
    assert psutil.wait_procs(busy, timeout=1.0)[1] == []


def is_busy(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.cpu_times().user > 0.2)
    return False


def test_it_dies_alone(clip: Path) -> None:
    items, beside = read_clip(clip), read_clip(clip)
    before = set(decoders())
    next(items)
    killed = [process for process in decoders() if process not in before]
    next(beside)
    for process in killed:
        process.kill()
    with pytest.raises(SourceError, match=r"a\.mp4 takes more memory than there is"):
        list(items)
    assert len(list(beside)) > 90


def test_a_zygote_that_is_gone_is_started_again(workers: Workers, clip: Path) -> None:
    workers.prepare()
    probe_clip(clip)
    (zygote,) = zygotes()[-1:]
    zygote.kill()
    assert psutil.wait_procs([zygote], timeout=10.0)[1] == []
    assert probe_clip(clip).has_video


def test_a_forked_process_has_one_of_its_own(clip: Path) -> None:
    # In a process of one thread: this one may have others, which a fork leaves in the middle of something.
    done = subprocess.run(
        [sys.executable, "-c", FORKS, clip], env={"PYTHONPATH": os.pathsep.join(sys.path)}, timeout=60
    )
    assert done.returncode == 0
