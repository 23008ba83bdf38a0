"""Findings that other processes have committed to the same database: heard of at once, looked for now and then.

PostgreSQL wakes whoever listens after each commit. Whatever is not heard, because the connection was lost or the
database is SQLite, is found within `POLL_SECONDS` by a look at the newest number.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from monitor.alerts.journal import CHANNEL, Journal, JournalError
from monitor.storage.dialect import listen

POLL_SECONDS = 2.0
CLOSE_SECONDS = 1.0


class Follower:
    """Calls each of `newer` with a number, on the event loop, up to which others have written to the journal.

    `listens` can be switched off, and then findings are looked for only.
    """

    def __init__(
        self,
        journal: Journal,
        *newer: Callable[[int], None],
        poll_seconds: float = POLL_SECONDS,
        listens: bool = True,
    ) -> None:
        self._journal, self._newer, self._poll_seconds = journal, newer, poll_seconds
        self._listens = listens and not journal.database.sqlite
        self._newest = 0
        self._heard = asyncio.Event()
        self._closing = False
        self._tasks: list[asyncio.Task[None]] = []
        self.listening = asyncio.Event()

    async def start(self) -> None:
        """Begin after what is there; raises `JournalError`."""
        self._newest = (await asyncio.to_thread(self._journal.head)).seq
        self._tasks.append(asyncio.create_task(self._look(), name="journal of others"))
        if self._listens:
            self._tasks.append(asyncio.create_task(self._listen(), name="journal's channel"))

    def committed(self, seq: int) -> None:
        """Take note of a finding that this process has committed: it has told of that itself."""
        # What others wrote before it has not been told of: whoever is told of this one finds the hole.
        self._newest = max(self._newest, seq)

    async def close(self) -> None:
        """Stop; safe to call twice."""
        self._closing = True
        self._heard.set()
        if self._tasks:
            # What is being read is read to its end: its connection goes back to where it is closed.
            await asyncio.wait(self._tasks[:1], timeout=CLOSE_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _look(self) -> None:
        while not self._closing:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._heard.wait(), self._poll_seconds)
            if self._closing:
                return
            self._heard.clear()
            # Where it cannot be read now, whoever writes and reads it says so.
            with contextlib.suppress(JournalError):
                seq = (await asyncio.to_thread(self._journal.head)).seq
                if seq > self._newest:
                    self._newest = seq
                    for tell in self._newer:
                        tell(seq)

    async def _listen(self) -> None:
        lost = False
        while True:
            try:
                async with contextlib.aclosing(listen(self._journal.engine, CHANNEL)) as heard:
                    async for writer in heard:
                        if not writer:
                            self.listening.set()
                            _log().info("other processes are heard again") if lost else None
                            lost = False
                        if writer != self._journal.writer:
                            self._heard.set()
            except OSError:
                pass
            self.listening.clear()
            if not lost:
                _log().warning("other processes are not heard: their findings are looked for", every=self._poll_seconds)
            lost = True
            await asyncio.sleep(self._poll_seconds)


def _log() -> structlog.stdlib.BoundLogger:
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("journal")
    return logger
