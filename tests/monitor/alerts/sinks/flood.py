"""A process to be killed: commits findings of several calls up to a number, through every sink of its settings.

Usage: python -m tests.monitor.alerts.sinks.flood FOLDER COUNT [PER_SECOND]. Its settings are `FOLDER/sidewitness.yaml`.
What a number holds follows from the number, so that one that starts again goes on where the one before was killed.
Prints each number when it is committed, and ends when every sink has accepted everything. Then it prints its memory, in
kilobytes, when a tenth was committed and when everything was delivered; and, where it commits at a rate, the seconds
that each finding took to each sink.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry

from monitor.alerts.finding import Action, Finding
from monitor.alerts.journal import Entry, Journal
from monitor.alerts.recorder import Recorder
from monitor.alerts.sinks.base import Item
from monitor.alerts.sinks.delivery import Deliveries
from monitor.alerts.sinks.registry import open_sinks
from monitor.config import load
from monitor.types import ParticipantKey

CALLS = 4
ACTIONS: tuple[Action, ...] = ("opened", "updated", "closed")
SCORES = {"synchrony": {"score": -0.1, "p_value": 0.001, "reason": None}}
# The lines that it prints begin with these.
COMMITTED, MEMORY, DELAYS = "committed", "memory", "delays"


def numbered(number: int) -> Finding:
    """The finding that the journal holds under this number."""
    episode, step = divmod(number - 1, len(ACTIONS))
    key = ParticipantKey(f"call-{episode % CALLS}", "p1", "Ada")
    return Finding(f"episode-{episode}", step, ACTIONS[step], key, datetime.now(UTC), "alert", "test", SCORES, {})


def memory_kb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


async def main(folder: Path, count: int, per_second: float) -> None:
    settings = load(folder / "sidewitness.yaml")
    journal = Journal(settings.journal_url)
    journal.open()
    delays: dict[str, list[float]] = defaultdict(list)

    def accepted(sink: str, items: Sequence[Item]) -> None:
        now = datetime.now(UTC)
        if per_second:
            delays[sink] += [(now - item.finding.time).total_seconds() for item in items if isinstance(item, Entry)]

    deliveries = Deliveries(open_sinks(settings.sinks), journal, CollectorRegistry(), accepted=accepted)
    await deliveries.start()

    def committed(seq: int, _finding: Finding, _decided_at: float) -> None:
        os.write(1, f"{COMMITTED} {seq}\n".encode())
        deliveries.committed(seq)

    recorder = Recorder(journal, committed)
    recorder.start()
    begun = first = journal.head().seq
    early, began_at = memory_kb(), time.monotonic()
    for number in range(first + 1, count + 1):
        if per_second:
            await asyncio.sleep(max(0.0, began_at + (number - first) / per_second - time.monotonic()))
        recorder.put(numbered(number), time.monotonic())
        while len(recorder) > 8:  # noqa: ASYNC110 - a rate, not a wait for something
            await asyncio.sleep(0.002)
        if number == begun + (count - begun) // 10:
            early = memory_kb()
    await recorder.close()
    while any(runner.cursor < count for runner in deliveries):  # noqa: ASYNC110 - it says nothing when it is there
        await asyncio.sleep(0.02)
    os.write(1, f"{MEMORY} {early} {memory_kb()}\n".encode())
    if per_second:
        sys.stdout.write(f"{DELAYS} {json.dumps(delays)}\n")
    await deliveries.close()
    journal.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) if sys.argv[3:] else 0.0))
