"""What holds for every client: it is judged, it raises nothing, it is gone at once, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from tests.interop.clip import Clip
from tests.interop.results import Results, Row
from tests.interop.sidecar import Sidecar

JUDGED_SECONDS = 40.0
GONE_SECONDS = 1.0


def scored(host: Sidecar, name: str, since: int = 0) -> bool:
    """Whether lips and voice of somebody were compared, in the states from number `since` on."""
    states = host.states[name][since:]
    return any(state["scores"].get("synchrony", {}).get("score") is not None for state in states)


def is_judged(host: Sidecar, name: str, clip: Clip, since: int = 0) -> bool:
    """Whether somebody's media were judged: scored where the clip shows a speaker, else found to show nobody."""
    if clip.speaks:
        return scored(host, name, since)
    return any(state["reason"] == "no_face" and state["quality"] for state in host.states[name][since:])


@dataclass
class Bench:
    """A sidecar, the clip, and the rows of the table."""

    host: Sidecar
    clip: Clip
    results: Results
    seconds: float

    @contextlib.asynccontextmanager
    async def judged(self, row: Row, variant: str = "") -> AsyncIterator[str]:
        """Check a client and note its row: inside, it publishes as the participant whose name is given.

        `self.published` waits until it was judged; the client leaves before the context ends.
        """
        name = re.sub(r"\W+", "-", f"{row.client} {variant}".lower()).strip("-")
        self.host.states.pop(name, None)
        before = await self.host.holdings()
        try:
            yield name
            took = await self.host.gone(name, GONE_SECONDS)
            await self.host.nothing_left(before)
            assert [f for f in self.host.findings if f["participant"] == name] == []
        except BaseException as error:
            self.results.add(row, failed=str(error) or type(error).__name__)
            raise
        states = self.host.states[name]
        self.results.add(row, states=[state["reason"] or state["verdict"] for state in states], gone_seconds=took)

    async def published(self, name: str) -> None:
        """Wait until the participant is judged, and for as long as everybody publishes."""
        began = time.monotonic()
        await self.host.until(lambda: is_judged(self.host, name, self.clip), JUDGED_SECONDS, f"{name} is judged")
        await self.host.until(
            lambda: time.monotonic() - began >= self.seconds, self.seconds + 10, f"{name} goes on being judged"
        )


@contextlib.asynccontextmanager
async def stopped(process: asyncio.subprocess.Process) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that does not outlive the context."""
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
