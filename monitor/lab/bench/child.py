"""Processes of a benchmark: they end when it ends, however it ends, and fail with one line."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import runpy
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Collection
from pathlib import Path

from engines.errors import SidewitnessError

_PR_SET_PDEATHSIG = 1
STOP_SECONDS = 15.0
PARENT = "BENCH_PARENT_PID"
CORES = "BENCH_CORES"


class BenchError(SidewitnessError):
    """A part of the benchmark cannot run; the message is one line that says why."""


def keep_to_cores() -> None:
    """Stay on the processors that the benchmark chose, if it did; called before a runtime counts them."""
    if chosen := os.environ.get(CORES):
        os.sched_setaffinity(0, {int(one) for one in chosen.split(",")})


def on(cores: Collection[int] | None) -> dict[str, str]:
    """Return what to add to a child's environment to keep it on these processors, nothing for None."""
    return {} if cores is None else {CORES: ",".join(map(str, sorted(cores)))}


def die_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent ends (prctl(2)); leave at once when it has ended already."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(os.environ.get(PARENT, os.getppid())):
        raise SystemExit(0)


def environment(**extra: str) -> dict[str, str]:
    """Return the environment without the operator's own settings: the server that is measured is the default one."""
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("SIDEWITNESS_")}
    return {**inherited, PARENT: str(os.getpid()), **extra}


async def spawn(module: str, *arguments: str, errors: Path, env: dict[str, str], stdin: bool = False) -> Process:
    """Start `python -m module`; stdout is a pipe, stderr goes to the file `errors`.

    A session of its own keeps an interrupt at the terminal from reaching it before it is let go in order.
    """
    with errors.open("wb") as file:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *arguments,
            stdin=PIPE if stdin else asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            stderr=file,
            env=env,
            start_new_session=True,
        )


async def stop(process: Process) -> None:
    """End a process: SIGTERM, then SIGKILL; returns when it is gone. Safe to call twice."""
    if process.returncode is not None:
        return
    _send(process, signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        await _kill(process)
    except BaseException:
        await _kill(process)
        raise


async def _kill(process: Process) -> None:
    _send(process, signal.SIGKILL)
    await process.wait()


def _send(process: Process, number: signal.Signals) -> None:
    # Not process.terminate(): it would reap a child that has just ended, behind the back of asyncio's watcher.
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, number)


def last_line(errors: Path) -> str:
    """Return what a process said last on stderr, or that it said nothing."""
    lines = errors.read_text(errors="replace").strip().splitlines() if errors.exists() else []
    return lines[-1].removeprefix("error: ") if lines else "it said nothing"


def serve() -> None:
    """Run the command line of the product in this process, bound to the life of its parent."""
    die_with_parent()
    keep_to_cores()
    # By name: the command line imports the benchmark, and the benchmark must not import it back.
    runpy.run_module("monitor.cli", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    serve()
