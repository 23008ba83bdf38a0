"""Where other gateways connect: whoever does is a stranger until they have shown the secret.

Few strangers have a place, each for a moment, and the one who has had it longest gives way to whoever comes: a gateway
needs it for milliseconds. So nobody without the secret can use up what connections take, or keep gateways apart.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

MAX_STRANGERS = 32
# A handshake between machines that are well takes two round trips.
HANDSHAKE_SECONDS = 5.0
# Where the process may open no more files, it is tried again after so long.
PAUSE_SECONDS = 0.5
# Of the end of TLS, which whoever is gone does not answer.
SHUTDOWN_SECONDS = 1.0

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Listening:
    """Has `serve` speak to everybody who has shown the secret, for as long as they are there."""

    context: ssl.SSLContext = field(repr=False)
    serve: Serve
    patience: float = HANDSHAKE_SECONDS
    _listener: socket.socket | None = None
    _accepting: asyncio.Task[None] | None = None
    # The oldest first.
    _strangers: dict[asyncio.Task[None], None] = field(default_factory=dict)
    _served: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self, host: str, port: int) -> int:
        """Begin, on the running loop; returns the port. Raises `OSError`."""
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = self._listener = socket.create_server((host, port), family=family)
        listener.setblocking(False)
        self._accepting = asyncio.create_task(self._accept(listener), name="peers' listener")
        bound_to: int = listener.getsockname()[1]
        return bound_to

    async def close(self) -> None:
        """Take nobody any more; whoever is served goes on."""
        tasks = [*self._strangers, *([self._accepting] if self._accepting is not None else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._listener is not None:
            self._listener.close()

    async def served(self, seconds: float) -> None:
        """Wait so long for whoever is served to be gone, then have done with them."""
        if self._served:
            await asyncio.wait(self._served, timeout=seconds)
        for task in self._served:
            task.cancel()

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                end, _ = await asyncio.get_running_loop().sock_accept(listener)
            except OSError as error:
                why = error.strerror or type(error).__name__
                structlog.stdlib.get_logger("peers").warning("another gateway could not be taken", why=why)
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            task = asyncio.create_task(self._meet(end), name="peer")
            self._strangers[task] = None
            task.add_done_callback(self._forget)
            if len(self._strangers) > MAX_STRANGERS:
                next(iter(self._strangers)).cancel()

    async def _meet(self, end: socket.socket) -> None:
        """Speak to one who shows the secret in time."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            async with asyncio.timeout(self.patience):
                transport, _ = await loop.connect_accepted_socket(
                    lambda: protocol, end, ssl=self.context, ssl_shutdown_timeout=SHUTDOWN_SECONDS
                )
        except OSError:
            # `TimeoutError` and `ssl.SSLError` are such: whoever it was, it was no gateway of this secret.
            return
        finally:
            task = asyncio.current_task()
            if task is not None:
                self._strangers.pop(task, None)
        if task is not None:
            self._served.add(task)
        await self.serve(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._strangers.pop(task, None)
        self._served.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            structlog.stdlib.get_logger("peers").error("another gateway could not be spoken to", exc_info=error)
