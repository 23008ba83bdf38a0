"""The HTTP server: uvicorn, bounded in everything, with our own way of stopping."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from monitor.alerts.push import Close
from monitor.api.connection import Connections, ListenerConfig
from monitor.api.gate import is_placed
from monitor.api.refusals import Refusals
from monitor.config import ConfigError, Settings

MAX_WEBSOCKET_MESSAGE_BYTES = 16384
PING_SECONDS = 20.0
# How long a client that had stopped reading has for what is buffered and the close code behind it.
ABORT_SECONDS = 30.0
MAX_CONNECTIONS = 1024
COMMON: dict[str, Any] = {
    "loop": "none",
    "lifespan": "off",
    "log_config": None,
    "log_level": "warning",
    "access_log": False,
    "proxy_headers": False,
    "server_header": False,
}


class AlertsProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, but a client that stopped reading cannot keep its connection and buffer after the close."""

    config: ListenerConfig
    is_lost = False

    async def run_asgi(self) -> None:
        """Serve the connection, then give its peer a while to take what is left.

        Strangers have it only while nobody else needs their place.
        """
        await super().run_asgi()
        self.loop.call_later(ABORT_SECONDS, self.transport.abort)
        place = is_placed(self.scope)  # type: ignore[arg-type]
        if not self.is_lost and (place is None or not place.is_vouched):
            self.config.connections.wait(self, self.client)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up the place."""
        self.is_lost = True
        self.config.connections.leave(self)
        super().connection_lost(exc)

    async def send(self, message: Message) -> None:  # type: ignore[override]
        """Send as uvicorn does, but a close frame goes behind whatever the client has not read yet.

        uvicorn waits until it has: whoever is closed for being too slow would never be told so.
        """
        if message["type"] == "websocket.close":
            self.writable.set()
        await super().send(message)  # type: ignore[arg-type]

    def keepalive_timeout(self) -> None:
        """Close as too slow a client that answers no ping; uvicorn would say that the server has failed (1011)."""
        self.stop_keepalive()
        if self.close_sent or self.transport.is_closing():
            return
        code, reason = Close.TOO_SLOW.value
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.close_timer = self.loop.call_later(ABORT_SECONDS, self.transport.close)


class Server(uvicorn.Server):
    """uvicorn, with our own way of starting to stop."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], drain: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._ready = ready
        self._drain = drain

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain while the sockets still work."""
        await self._drain()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT and end with status 0; uvicorn's own way would end by the signal."""
        loop = asyncio.get_running_loop()
        handled = (signal.SIGTERM, signal.SIGINT)
        for number in handled:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in handled:
                loop.remove_signal_handler(number)


class Operators(uvicorn.Server):
    """The operator's listener, beside another server in the same process and loop: that one says when it ends."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the other server."""
        yield


@contextlib.asynccontextmanager
async def beside(config: uvicorn.Config, listener: socket.socket) -> AsyncIterator[None]:
    """Serve on a listener while the context is open."""
    server = Operators(config)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def operators_config(app: ASGIApp, refusals: Refusals) -> uvicorn.Config:
    """Return the configuration of the operator's listener, which refuses nobody for want of room."""
    return ListenerConfig(app, Connections(refusals), ws="none", timeout_graceful_shutdown=1, **COMMON)


def server_config(settings: Settings, app: ASGIApp, refusals: Refusals) -> uvicorn.Config:
    """Return uvicorn's configuration: no access log (it holds names), no proxy headers, bounded everything."""
    return ListenerConfig(
        app,
        Connections(refusals, settings.max_connections_per_address, settings.trusted_proxies),
        host=settings.host,
        port=settings.port,
        ws=AlertsProtocol,
        ws_max_size=MAX_WEBSOCKET_MESSAGE_BYTES,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PING_SECONDS,
        ws_per_message_deflate=False,
        # The last resort: strangers are stopped by lower limits, and whoever has a token hardly comes so often.
        limit_concurrency=MAX_CONNECTIONS + settings.max_subscribers,
        timeout_graceful_shutdown=2,
        **COMMON,
    )


def listen(host: str, port: int, remedy: str = "choose another --host or --port") -> socket.socket:
    """Return a bound socket; raises `ConfigError` where the address cannot be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        # Not the error's own text: it repeats the address in the form of the C library.
        why = error.strerror if not isinstance(error, socket.gaierror) else "no such address"
        raise ConfigError(f"cannot listen on {host} port {port} ({why}): {remedy}") from None
    # Connections inherit it. asyncio sets it on sockets that say they are TCP, and these do not: the end of an answer
    # would wait 40 ms for the acknowledgement of its beginning.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def address(listener: socket.socket) -> str:
    """Return the base URL of a bound socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
