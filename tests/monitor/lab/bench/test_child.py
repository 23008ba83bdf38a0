"""Processes of a benchmark, for real: none outlives it, and each says what is wrong; no timing."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from monitor.lab.bench import child, live, processes
from monitor.lab.bench import scan_speed as scanning
from monitor.lab.bench import subscriber as watching
from monitor.lab.bench.child import BenchError
from monitor.lab.bench.clip import Stream
from monitor.lab.bench.observations import Observer
from monitor.lab.bench.processes import BenchSetup
from monitor.tap.media.config import local_addresses

PATIENCE = 60.0
# The one whose models are loaded soonest.
ENGINE = "onnx"

ORPHAN = (
    "import signal; from monitor.lab.bench.child import die_with_parent; die_with_parent(); "
    "print('up', flush=True); signal.pause()"
)
PARENT = (
    "import os, subprocess, sys; from monitor.lab.bench.child import environment; "
    f"subprocess.Popen([sys.executable, '-c', {ORPHAN!r}], env=environment()); sys.stdin.read()"
)


def test_a_child_does_not_outlive_a_killed_benchmark() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        parent.kill()
        # The grandchild holds the pipe: its end is the grandchild's.
        assert parent.stdout.read() == b""


def test_a_child_whose_parent_has_gone_leaves_at_once() -> None:
    env = {**os.environ, child.PARENT: "1"}
    done = subprocess.run([sys.executable, "-c", ORPHAN], env=env, capture_output=True, check=True, timeout=PATIENCE)
    assert done.stdout == b""


def test_the_operators_settings_do_not_reach_the_sidecar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDEWITNESS_HOP_SECONDS", "5")
    monkeypatch.setenv("sidewitness_port", "1")
    env = child.environment(SIDEWITNESS_TOKEN="t")
    assert {name for name in env if name.upper().startswith("SIDEWITNESS_")} == {"SIDEWITNESS_TOKEN"}
    assert env["PATH"] == os.environ["PATH"]


async def test_a_child_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "STOP_SECONDS", 0.2)
    (tmp_path / "stubborn.py").write_text(
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\n"
        "while True:\n    signal.pause()\n"
    )
    env = child.environment(PYTHONPATH=str(tmp_path))
    process = await child.spawn("stubborn", errors=tmp_path / "log", env=env)
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), PATIENCE) == b"up\n"
    await asyncio.wait_for(child.stop(process), PATIENCE)
    assert process.returncode == -signal.SIGKILL
    await child.stop(process)


def test_a_failed_child_is_told_by_its_last_line(tmp_path: Path) -> None:
    assert child.last_line(tmp_path / "absent") == "it said nothing"
    (tmp_path / "log").write_text("warning: this\nerror: cannot listen: choose another port\n")
    assert child.last_line(tmp_path / "log") == "cannot listen: choose another port"


async def test_a_sidecar_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"^the sidecar did not start: setting 'engine'"):
        async with processes.sidecar(BenchSetup(tmp_path, "abacus"), 1):
            pass


async def test_a_scan_runs_in_a_child(stream: Stream, folder: Path, tmp_path: Path) -> None:
    speed = await asyncio.wait_for(scanning.measure(folder / "clip.mp4", BenchSetup(tmp_path, ENGINE)), PATIENCE)
    assert speed.times_real > 0
    assert speed.load_seconds > 0
    assert speed.clip_seconds == pytest.approx(stream.seconds, abs=0.3)


@pytest.mark.parametrize(
    ("engine", "why"),
    [
        ("abacus", "unknown engine 'abacus'"),
        # All models are loaded before it.
        pytest.param(ENGINE, r"notes\.mp4 is not a video", marks=pytest.mark.long),
    ],
)
async def test_a_scan_that_fails_says_what_is_wrong(engine: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("no clip")
    with pytest.raises(BenchError, match=f"^the scan failed: {why}"):
        await asyncio.wait_for(scanning.measure(tmp_path / "notes.mp4", BenchSetup(tmp_path, engine)), PATIENCE)


async def test_a_publisher_that_is_refused_says_why(stream: Stream, folder: Path, tmp_path: Path) -> None:
    assert stream.video
    own = await asyncio.create_subprocess_exec(sys.executable, "-c", "pass")
    await own.wait()
    nowhere = processes.SidecarProcess(own, "http://127.0.0.1:9", "http://127.0.0.1:9", "token", 0.0)
    sent = folder / "stream.webm", nowhere, range(1, 2), BenchSetup(tmp_path), Observer(), lambda *_: None
    with pytest.raises(BenchError, match="the sidecar cannot be reached"):
        async with processes.publisher(*sent):
            pass
    with pytest.raises(BenchError, match="the sidecar ended while it was measured"):
        nowhere.usage()
    with pytest.raises(BenchError, match="the sidecar ended while it was measured"):
        nowhere.rss()


@pytest.mark.skipif(not local_addresses(), reason="this machine has no network address but loopback")
async def test_a_live_call_between_real_processes(
    stream: Stream, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "STARTS", 1)
    monkeypatch.setattr(live, "IDLE_SECONDS", 0.2)
    monkeypatch.setattr(watching, "SETTLE_SECONDS", 1.0)
    assert stream.seconds
    told: list[str] = []
    tell = lambda part, _: told.append(part)  # noqa: E731
    found = await asyncio.wait_for(
        live.measure(folder / "stream.webm", BenchSetup(tmp_path, ENGINE), 1, 3.0, tell), 2 * PATIENCE
    )
    assert found.participants == 1
    assert len(found.ready) == len(found.first_state) == 1
    assert found.first_verdict == []
    assert found.cores > found.loop_cores > 0
    assert found.publisher_cores > 0
    assert found.received_p95 is not None
    assert sum(found.verdicts.values()) >= 1
    assert {verdict.partition("/")[0] for verdict in found.verdicts} == {"inconclusive"}
    assert told[-1] == "a live call"


@pytest.mark.skipif(not local_addresses(), reason="this machine has no network address but loopback")
async def test_a_sidecar_that_dies_meanwhile_is_told(
    folder: Path, stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "STARTS", 1)
    assert stream.seconds
    started = child.spawn
    made: list[asyncio.subprocess.Process] = []

    async def remember(*args: Any, **named: Any) -> asyncio.subprocess.Process:
        made.append(await started(*args, **named))
        return made[-1]

    def kill(part: str, _: float) -> None:
        if part == "the first participant" and made[0].returncode is None:
            made[0].kill()

    monkeypatch.setattr(processes, "spawn", remember)
    with pytest.raises(BenchError, match="the sidecar "):
        await asyncio.wait_for(
            live.measure(folder / "stream.webm", BenchSetup(tmp_path, ENGINE), 1, 30.0, kill), PATIENCE
        )
    assert [process.returncode is not None for process in made] == [True, True]


async def test_a_machine_with_loopback_only_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "local_addresses", tuple)
    with pytest.raises(BenchError, match="no network address but loopback"):
        await live.measure(tmp_path / "stream.webm", BenchSetup(tmp_path), 1, 1.0)
