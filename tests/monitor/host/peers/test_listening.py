"""Who may connect to a gateway's port for others; real sockets, on both event loops."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest
import uvloop

from monitor.host.peers.listening import MAX_STRANGERS, Listening
from monitor.host.peers.tls import contexts
from tests.monitor.host.peers.site import SECRET

LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
PATIENCE = 20.0
BEYOND = 8


async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello\n")
    await writer.drain()
    writer.close()


async def ended(reader: asyncio.StreamReader) -> bool:
    """Wait until the other end has let go; True for the tests that count."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await reader.read() == b""
    except ConnectionError:
        return True


async def is_greeted(port: int, secret: str = SECRET) -> bool:
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=contexts(secret)[1])
        try:
            return await reader.readline() == b"hello\n"
        finally:
            writer.close()


def run(loop: Callable[[], asyncio.AbstractEventLoop], patience: float, test: Callable[[int], object]) -> None:
    async def main() -> None:
        listening = Listening(contexts(SECRET)[0], greet, patience)
        port = listening.start("127.0.0.1", 0)
        try:
            result = test(port)
            assert asyncio.iscoroutine(result)
            await result
        finally:
            await listening.close()
            await listening.served(PATIENCE)
        with pytest.raises(OSError, match=r"."):
            socket.create_connection(("127.0.0.1", port)).close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())


@LOOPS
def test_strangers_who_say_nothing_keep_no_gateway_out(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def test(port: int) -> None:
        strangers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MAX_STRANGERS + BEYOND)]
        # The oldest ones gave way.
        assert all(await asyncio.gather(*(ended(reader) for reader, _ in strangers[:BEYOND])))
        assert await is_greeted(port)
        assert await is_greeted(port)
        for _, writer in strangers:
            writer.close()

    run(loop, PATIENCE * 10, test)


@LOOPS
def test_a_stranger_has_a_place_for_a_moment_only(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def test(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await ended(reader)
        writer.close()
        assert await is_greeted(port)

    run(loop, 0.2, test)


@LOOPS
def test_whoever_has_another_secret_is_told_nothing(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def test(port: int) -> None:
        with pytest.raises(OSError, match=r"."):
            assert not await is_greeted(port, "another secret, which is as long as it has to be")
        assert await is_greeted(port)

    run(loop, PATIENCE, test)
