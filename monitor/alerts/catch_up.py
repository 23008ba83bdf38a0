"""What a subscriber needs of the journal, read in a thread: where it stands, and a page of what comes next."""

from __future__ import annotations

import asyncio

import structlog

from monitor.alerts.journal import Journal, JournalError
from monitor.alerts.push import PAGE_ENTRIES, Phase, Subscriber

RETRY_SECONDS = 1.0


async def catch_up(subscriber: Subscriber, journal: Journal) -> None:
    """Give the subscriber what it asks for; where the journal cannot be read, wake it to ask again in a while."""
    try:
        if subscriber.phase is Phase.STARTING:
            subscriber.start(await asyncio.to_thread(journal.head))
        if (after := subscriber.replay_after) is not None:
            # The head first: a page read after it holds everything up to it.
            head = await asyncio.to_thread(journal.head)
            subscriber.replay(await asyncio.to_thread(journal.read, after, PAGE_ENTRIES), head)
    except JournalError as error:
        structlog.stdlib.get_logger("alerts").warning("a subscriber waits for the journal", why=str(error))
        await asyncio.sleep(RETRY_SECONDS)
        subscriber.wake()
