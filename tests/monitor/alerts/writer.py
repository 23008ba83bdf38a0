"""A process to be killed: commits findings without end and serves them to subscribers, through the product's own parts.

Usage: python -m tests.monitor.alerts.writer STATE_DIR TOKEN. Prints its base URL, then the number of each finding
when it is given to the hub, which is after the commit.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from monitor.alerts.finding import Finding
from monitor.alerts.journal import Entry
from monitor.alerts.recorder import Recorder
from monitor.api.server import address, listen
from monitor.config import Settings
from monitor.host.sidecar import Sidecar, assemble
from monitor.serve import Surface
from monitor.types import ParticipantKey
from tests.monitor.rig import scripted


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def produce(recorder: Recorder) -> None:
    key = ParticipantKey("board", "p1")
    while True:
        episode = str(uuid4())
        for step, action in enumerate(("opened", "updated", "closed")):
            finding = Finding(episode, step, action, key, datetime.now(UTC), "alert", None)  # type: ignore[arg-type]
            recorder.put(finding, time.monotonic())
        while len(recorder) > 8:  # noqa: ASYNC110 - a rate, not a wait for something
            await asyncio.sleep(0.002)


async def main(folder: Path, token: str) -> None:
    settings = Settings(state_dir=folder, port=0)
    components = assemble(settings, scripted())
    publish = components.hub.finding

    def told(entry: Entry, decided_at: float | None = None) -> None:
        say(str(entry.seq))
        publish(entry, decided_at)

    components.hub.finding = told  # type: ignore[method-assign]
    listener = listen("127.0.0.1", 0)
    async with Sidecar(settings, components) as sidecar:
        surface = Surface(sidecar, settings, token)
        server = surface.server(lambda: say(address(listener)))
        producer = asyncio.create_task(produce(components.recorder))
        await server.serve([listener])
        producer.cancel()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
