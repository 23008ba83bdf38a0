"""A process to be killed: commits findings without end and delivers them to a file, through the product's own parts.

Usage: python -m tests.monitor.alerts.sinks.worker FOLDER [COUNT]. Prints the number of each finding when it is
committed. With COUNT it commits as many as that and ends by itself; `die-before-cursor` in its place kills it when the
first delivery was accepted and the cursor is about to be written.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from prometheus_client import CollectorRegistry

from monitor.alerts.finding import Finding
from monitor.alerts.journal import Journal
from monitor.alerts.recorder import Recorder
from monitor.alerts.sinks.cursors import Cursors
from monitor.alerts.sinks.delivery import Deliveries
from monitor.alerts.sinks.registry import open_sinks
from monitor.config import Settings
from monitor.types import ParticipantKey

DIE = "die-before-cursor"


def die(*_arguments: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(folder: Path, order: str = "") -> None:
    path = folder / "findings.jsonl"
    settings = Settings.model_validate({"state_dir": folder, "sinks": [{"kind": "jsonl", "path": path}]})
    journal = Journal(settings.journal_url)
    journal.open()
    if order == DIE:
        Cursors.advance = die  # type: ignore[assignment,method-assign]
    deliveries = Deliveries(open_sinks(settings.sinks), journal, CollectorRegistry())
    await deliveries.start()

    def committed(seq: int, _finding: Finding, _decided_at: float) -> None:
        os.write(1, f"{seq}\n".encode())
        deliveries.committed(seq)

    recorder = Recorder(journal, committed)
    recorder.start()
    key, count = ParticipantKey("board", "p1"), int(order) if order.isdecimal() else sys.maxsize
    while count > 0:
        count -= 1
        recorder.put(Finding(str(uuid4()), 0, "opened", key, datetime.now(UTC), "alert", None), time.monotonic())
        while len(recorder) > 8:  # noqa: ASYNC110 - a rate, not a wait for something
            await asyncio.sleep(0.002)
    await recorder.close()
    await deliveries.close(30.0)
    journal.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
