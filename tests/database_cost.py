"""What it costs to keep findings in each database: python -m tests.database_cost [--findings N] [--writers N ...].

A PostgreSQL of its own is started, which waits for the disk as an operator's does, and reached by its socket; SQLite
lies beside it. Times are of one writer, rates of several processes at once; a wake-up is from a commit in one process
to the moment at which another one knows of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from monitor.alerts.follow import Follower
from monitor.alerts.journal import Journal
from monitor.alerts.sinks.cursors import Cursors
from tests import postgres
from tests.monitor.alerts.build import finding, ready_journal

ROOT = Path(__file__).parents[1]
PATIENCE = 600.0


def quantiles(seconds: Sequence[float]) -> dict[str, float]:
    """Return how many there are, and the median, the 95th percentile and the longest, in milliseconds."""
    found = np.asarray(seconds) * 1000.0
    return {
        "n": len(seconds),
        "p50_ms": round(float(np.median(found)), 2),
        "p95_ms": round(float(np.quantile(found, 0.95)), 2),
        "longest_ms": round(float(found.max()), 2),
    }


def appends(url: str, count: int) -> dict[str, float]:
    """Time one writer."""
    journal, seconds = Journal(url), []
    journal.head()
    for n in range(count):
        began_at = time.perf_counter()
        journal.append(finding(f"one-{n}"))
        seconds.append(time.perf_counter() - began_at)
    journal.close()
    return quantiles(seconds)


def reads(url: str, count: int) -> dict[str, float]:
    """Time the reading of a page of a hundred."""
    journal, seconds = Journal(url), []
    for n in range(count):
        began_at = time.perf_counter()
        journal.read(n, 100)
        seconds.append(time.perf_counter() - began_at)
    journal.close()
    return quantiles(seconds)


def cursors(url: str, count: int) -> dict[str, float]:
    """Time what a sink writes after each delivery."""
    journal, seconds = Journal(url), []
    moved = Cursors(journal)
    moved.begin("cost", 0)
    for n in range(count):
        began_at = time.perf_counter()
        moved.advance("cost", n + 1, n)
        seconds.append(time.perf_counter() - began_at)
    journal.close()
    return quantiles(seconds)


def rate(url: str, writers: int, count: int) -> float:
    """Return how many findings a second several processes commit together."""
    command, pipe = (sys.executable, "-m", "tests.monitor.alerts.committing", url), subprocess.PIPE
    started = [
        subprocess.Popen([*command, f"{writers}-{n}", str(count)], cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        for n in range(writers)
    ]
    for process in started:
        assert process.stdout is not None
        process.stdout.readline()
    began_at = time.perf_counter()
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        process.communicate(timeout=PATIENCE)
    return round(writers * count / (time.perf_counter() - began_at), 1)


async def wake_ups(url: str, count: int) -> dict[str, float]:
    """Time from a commit of one journal to the call of another's follower."""
    writer, reader, seconds = Journal(url), Journal(url), []
    heard = asyncio.Event()
    follower = Follower(reader, lambda _seq: heard.set(), poll_seconds=PATIENCE)
    await follower.start()
    await follower.listening.wait()
    for n in range(count):
        heard.clear()
        await asyncio.to_thread(writer.append, finding(f"wake-{n}"))
        committed_at = time.perf_counter()
        await heard.wait()
        seconds.append(time.perf_counter() - committed_at)
    await follower.close()
    writer.close()
    reader.close()
    return quantiles(seconds)


def measure(findings: int, writers: Sequence[int]) -> dict[str, object]:
    """Measure both databases."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(postgres.server("fsync = on", "full_page_writes = on"))
        ready_journal(folder).close()
        urls = {"sqlite": f"sqlite:///{folder / 'journal.sqlite'}", "postgresql": server.migrated_database()}
        found: dict[str, object] = {"cores": os.cpu_count(), "load": os.getloadavg()[0], "server": server.major}
        for kind, url in urls.items():
            told: dict[str, object] = {"append": appends(url, findings), "read_100": reads(url, findings)}
            told["cursor"] = cursors(url, findings)
            told["findings_a_second"] = {str(n): rate(url, n, findings) for n in writers}
            found[kind] = told
        found["wake_up"] = asyncio.run(wake_ups(urls["postgresql"], findings))
    return found


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.database_cost")
    parser.add_argument("--findings", type=int, default=500)
    parser.add_argument("--writers", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    sys.stdout.write(json.dumps(measure(options.findings, options.writers), indent=2) + "\n")


if __name__ == "__main__":
    main()
