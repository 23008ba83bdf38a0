"""Two processes on one database: what one writes the other's subscribers and sinks are sent, each finding once."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvloop
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from monitor.alerts.catch_up import catch_up
from monitor.alerts.disclosure import Disclosure
from monitor.alerts.follow import Follower
from monitor.alerts.journal import Entry, Journal, JournalError
from monitor.alerts.push import Hub, Phase, Subscriber
from monitor.alerts.sinks.delivery import Deliveries
from tests.monitor.alerts.build import finding
from tests.monitor.alerts.sinks.build import PATIENCE, MemorySink, named
from tests.postgres import Server

NEVER = 3600.0


class Member:
    """What one process has: its journal, a subscriber, a sink by a name that all have, and what wakes them."""

    def __init__(self, journal_url: str, poll_seconds: float, listens: bool = True) -> None:
        self.journal, self.hub, self.sink = Journal(journal_url), Hub(), MemorySink()
        self.deliveries = Deliveries([named(self.sink, "siem")], self.journal, CollectorRegistry())
        self.woken: list[int] = []
        self.changed = asyncio.Event()
        self.subscriber = Subscriber(self.changed.set)
        self.follower = Follower(self.journal, self._newer, poll_seconds=poll_seconds, listens=listens)
        self.sent: list[int] = []

    def _newer(self, seq: int) -> None:
        self.woken.append(seq)
        self.hub.newer(seq)
        self.deliveries.committed(seq)
        self.changed.set()

    async def commit(self, name: str) -> None:
        """Commit as the recorder does, who tries again: a server that kept us waiting is left alone for a moment."""
        made, seq = finding(name), 0
        async with asyncio.timeout(PATIENCE):
            while seq == 0:
                with contextlib.suppress(JournalError):
                    seq = await asyncio.to_thread(self.journal.append, made)
        self.hub.finding(Entry(seq, made))
        self.deliveries.committed(seq)
        self.follower.committed(seq)

    async def read_until(self, last: int) -> None:
        """Do what the socket of a subscriber does, until it was sent this number."""
        async with asyncio.timeout(PATIENCE):
            while not self.sent or self.sent[-1] < last:
                self.changed.clear()
                await catch_up(self.subscriber, self.journal)
                while (message := self.subscriber.take()) is not None:
                    body = json.loads(message.text)
                    if body["type"] == "finding":
                        self.sent.append(body["seq"])
                if not self.sent or self.sent[-1] < last:
                    await self.changed.wait()

    async def subscribe(self) -> None:
        self.subscriber.receive(json.dumps({"type": "subscribe", "token": "t", "after": 0}))
        self.subscriber.admit(Disclosure.FULL)
        self.hub.join(self.subscriber)
        await catch_up(self.subscriber, self.journal)
        assert self.subscriber.phase is Phase.LIVE

    async def close(self) -> None:
        await self.follower.close()
        await self.deliveries.close(PATIENCE)
        self.journal.close()


@asynccontextmanager
async def members(journal_url: str, poll_seconds: float, listens: bool = True) -> AsyncIterator[tuple[Member, Member]]:
    both = Member(journal_url, poll_seconds, listens), Member(journal_url, poll_seconds, listens)
    for member in both:
        await member.deliveries.start()
        await member.follower.start()
        await member.subscribe()
    try:
        yield both
    finally:
        for member in both:
            await member.close()


async def holder_of(one: Member, other: Member) -> tuple[Member, Member]:
    """Wait until one of them delivers; gives who does, and who does not."""
    waiting = [
        asyncio.create_task(one.sink.until(lambda: bool(one.sink.numbers))),
        asyncio.create_task(other.sink.until(lambda: bool(other.sink.numbers))),
    ]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    return (one, other) if one.sink.numbers else (other, one)


async def test_a_commit_wakes_the_others_at_once(postgres_server: Server) -> None:
    async with members(postgres_server.migrated_database(), NEVER) as (one, other):
        async with asyncio.timeout(PATIENCE):
            await one.follower.listening.wait()
            await other.follower.listening.wait()
        await one.commit("a")
        await other.read_until(1)
        await other.commit("b")
        await asyncio.gather(one.read_until(2), other.read_until(2))
        assert (one.sent, other.sent) == ([1, 2], [1, 2])
        # Nobody is woken by what they have written themselves.
        assert (one.woken, other.woken) == ([2], [1])


def test_the_loop_of_the_server_hears_them_too(postgres_server: Server) -> None:
    async def heard() -> None:
        async with members(postgres_server.migrated_database(), NEVER) as (one, other):
            async with asyncio.timeout(PATIENCE):
                await other.follower.listening.wait()
            await one.commit("a")
            await other.read_until(1)
            assert other.woken == [1]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(heard())


async def test_without_being_woken_they_look(journal_url: str) -> None:
    async with members(journal_url, 0.02, listens=False) as (one, other):
        assert not other.follower.listening.is_set()
        for n in range(5):
            await one.commit(f"a{n}")
        await other.read_until(5)
        await other.commit("b")
        await asyncio.gather(one.read_until(6), other.read_until(6))
        assert one.sent == other.sent == [1, 2, 3, 4, 5, 6]


async def test_one_of_them_delivers_to_a_sink_and_the_next_takes_over(journal_url: str) -> None:
    async with members(journal_url, 0.02) as (one, other):
        for n in range(20):
            await (one, other)[n % 2].commit(f"a{n}")
        holder, standby = await holder_of(one, other)
        await holder.sink.until(lambda: len(holder.sink.numbers) == 20)
        assert (holder.sink.numbers, standby.sink.numbers) == (list(range(1, 21)), [])
        await holder.deliveries.close(PATIENCE)
        for n in range(5):
            await holder.commit(f"b{n}")
        await standby.sink.until(lambda: len(standby.sink.numbers) == 5)
        assert standby.sink.numbers == list(range(21, 26))
        assert len(holder.sink.numbers) == 20


async def test_a_lost_connection_is_said_and_made_again(postgres_server: Server) -> None:
    with capture_logs() as said:
        async with members(postgres_server.migrated_database(), 0.02) as (one, other):
            async with asyncio.timeout(PATIENCE):
                await other.follower.listening.wait()
            await asyncio.to_thread(postgres_server.kill)
            try:
                async with asyncio.timeout(PATIENCE):
                    while other.follower.listening.is_set():  # noqa: ASYNC110 - of a loss nobody is told
                        await asyncio.sleep(0)
            finally:
                await asyncio.to_thread(postgres_server.start)
            async with asyncio.timeout(PATIENCE):
                await other.follower.listening.wait()
            await one.commit("a")
            await other.read_until(1)
    events = [line["event"] for line in said]
    assert "other processes are not heard: their findings are looked for" in events
    assert "other processes are heard again" in events
