"""Two ends of a link on one event loop: what is said, asked and answered, and what is left when one is gone."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from monitor.host.calls import AtCapacity
from monitor.host.cluster import link as linking
from monitor.host.cluster.channel import StreamChannel
from monitor.host.cluster.frames import frame_of, header_of
from monitor.host.cluster.link import Link, LinkLost
from monitor.types import ParticipantKey
from tests.monitor.rig import quiet_log

PATIENCE = 10.0


@dataclass
class End:
    """One end: what it has heard, and what it answers."""

    link: Link
    running: asyncio.Task[None]
    heard: list[tuple[str, Any]]
    came: asyncio.Event = field(default_factory=asyncio.Event)


async def answer(op: str, body: Any) -> Any:
    match op:
        case "echo":
            return body
        case "refuse":
            raise AtCapacity("no room", 3)
        case "never":
            await asyncio.Event().wait()
    raise LookupError(op)


async def end_of(one: socket.socket) -> End:
    heard: list[tuple[str, Any]] = []
    came = asyncio.Event()

    def said(op: str, body: Any) -> None:
        if op == "break":
            raise ValueError("what a host says breaks its gateway")
        heard.append((op, body))
        came.set()

    link = Link(await StreamChannel.over(one), said, answer)
    return End(link, asyncio.create_task(link.run()), heard, came)


@asynccontextmanager
async def two_ends() -> AsyncIterator[tuple[End, End]]:
    with quiet_log():
        one, other = socket.socketpair()
        ends = await end_of(one), await end_of(other)
        try:
            yield ends
        finally:
            for end in ends:
                end.link.close()
            await asyncio.wait_for(asyncio.gather(*(end.running for end in ends)), PATIENCE)


async def test_what_is_said_arrives_in_order_as_it_was() -> None:
    async with two_ends() as (one, other):
        key = ParticipantKey("board", "ada")
        for number in range(1000):
            one.link.say("count", (number, key))
        async with asyncio.timeout(PATIENCE):
            while len(other.heard) < 1000:
                other.came.clear()
                await other.came.wait()
        assert other.heard == [("count", (number, key)) for number in range(1000)]


async def test_what_is_said_in_one_turn_is_one_frame() -> None:
    async with two_ends() as (one, other):
        for number in range(5):
            one.link.say("count", number, about=None if number == 2 else "x")
        await asyncio.wait_for(other.came.wait(), PATIENCE)
        assert other.link.heard == 1
        assert [body for _, body in other.heard] == [0, 1, 2, 3, 4]


async def test_what_is_said_once_is_with_what_was_said_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame holds one group here: where everything may be said anew, each word is one."""
    monkeypatch.setattr("monitor.host.cluster.outbox.MAX_TAKEN", 1)
    async with two_ends() as (one, other):
        one.link.say("state", 1, about="ada")
        one.link.say("finding", 2)
        one.link.say("checkpoint", 3, about="ada")
        await asyncio.wait_for(other.came.wait(), PATIENCE)
        assert [op for op, _ in other.heard] == ["state", "finding", "checkpoint"]
        assert other.link.heard == 1


async def test_questions_go_both_ways_and_refusals_come_back_as_what_they_are() -> None:
    async with two_ends() as (one, other):
        assert await one.link.ask("echo", {"a": (1, 2)}) == {"a": (1, 2)}
        assert await asyncio.gather(*(other.link.ask("echo", n) for n in range(100))) == list(range(100))
        with pytest.raises(AtCapacity, match="no room") as refusal:
            await one.link.ask("refuse")
        assert refusal.value.retry_after == 3
        with pytest.raises(Exception, match="a host failed \\(LookupError\\)"):
            await one.link.ask("nonsense")
        with pytest.raises(TimeoutError):
            await one.link.ask("never", seconds=0.01)
        assert await one.link.ask("echo", 1) == 1


async def test_too_many_questions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with two_ends() as (one, other):
        monkeypatch.setattr(linking, "MAX_REQUESTS", 2)
        asked = [asyncio.create_task(one.link.ask("never")) for _ in range(2)]
        assert await other.link.ask("echo", 1) == 1
        with pytest.raises(LinkLost):
            await one.link.ask("echo", 2)
        for task in asked:
            task.cancel()
        await asyncio.wait(asked)
        with pytest.raises(AtCapacity, match="too much is asked at once"):
            await one.link.ask("echo", 3)


async def test_who_is_gone_answers_nobody_and_that_is_told() -> None:
    async with two_ends() as (one, other):
        asking = asyncio.create_task(one.link.ask("never"))
        assert await one.link.ask("echo", 1) == 1
        other.link.close()
        await asyncio.wait_for(one.running, PATIENCE)
        with pytest.raises(LinkLost):
            await asking
        with pytest.raises(LinkLost):
            await one.link.ask("echo")
        assert one.link.lost
        one.link.say("anything")


async def test_what_was_said_before_the_end_arrives() -> None:
    async with two_ends() as (one, other):
        one.link.say("last")
        one.link.close()
        one.link.say("too late")
        await asyncio.wait_for(other.running, PATIENCE)
        assert other.heard == [("last", None)]


@pytest.mark.parametrize(
    "sent",
    [
        b"\xff\xff\xff\xff",
        header_of(b"{}") + b"{}",
        header_of(frame_of([{}])) + frame_of([{}]),
        header_of(frame_of([{"say": "x", "b": {"$": "data", "of": "Path", "v": []}}]))
        + frame_of([{"say": "x", "b": {"$": "data", "of": "Path", "v": []}}]),
        header_of(frame_of([{"say": "break", "b": None}])) + frame_of([{"say": "break", "b": None}]),
        header_of(b"[]" * 10) + b"[]",
    ],
    ids=["too long", "no list", "no kind", "no such type", "breaks", "half a frame"],
)
async def test_what_cannot_be_read_ends_the_link(sent: bytes) -> None:
    with quiet_log():
        one, other = socket.socketpair()
        end = await end_of(one)
        other.sendall(sent)
        other.shutdown(socket.SHUT_WR)
        await asyncio.wait_for(end.running, PATIENCE)
        assert end.heard == []
        other.close()


async def test_who_does_not_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with quiet_log():
        one, other = socket.socketpair()
        end = await end_of(one)
        end.link._outbox.capacity = 4
        while not end.link.lost:
            end.link.say("finding", "x" * 1_000_000)
            await asyncio.sleep(0)
        other.close()
        await asyncio.wait_for(end.running, PATIENCE)
