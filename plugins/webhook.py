"""Where a platform's webhooks come to: a small HTTP server for one path, to stand behind a proxy that speaks TLS.

Whoever answers decides at once, without waiting for anything: platforms that get no answer say it again. Everything is
bounded: connections, the time of each, the size of a request.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping

import h11

from plugins.base import Unavailable

REQUEST_SECONDS = 10.0
MAX_CONNECTIONS = 32
MAX_HEADER_BYTES = 16384
_READ_BYTES = 16384

# Gets the body and the headers, names in lower case; gives a status and a JSON text.
Answer = Callable[[bytes, Mapping[str, str]], tuple[int, str]]


class _Listener:
    def __init__(self, path: str, answer: Answer, max_body_bytes: int) -> None:
        self._path, self._answer, self._max_body_bytes = path, answer, max_body_bytes
        self._open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close."""
        self._open += 1
        try:
            if self._open <= MAX_CONNECTIONS:
                async with asyncio.timeout(REQUEST_SECONDS):
                    await self._serve(reader, writer)
        except (TimeoutError, OSError):
            pass
        finally:
            self._open -= 1
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADER_BYTES)
        try:
            status, text = await self._read(connection, reader)
        except h11.RemoteProtocolError as error:
            status, text = error.error_status_hint, "{}"
        if connection.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        body = text.encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Connection", "close")]
        for event in (h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
            writer.write(connection.send(event) or b"")
        await writer.drain()

    async def _read(self, connection: h11.Connection, reader: asyncio.StreamReader) -> tuple[int, str]:
        request: h11.Request | None = None
        body = bytearray()
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(_READ_BYTES))
            elif isinstance(event, h11.Request):
                request = event
                if event.target.decode("ascii", "replace").partition("?")[0] != self._path:
                    return 404, "{}"
                if event.method != b"POST":
                    return 405, "{}"
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > self._max_body_bytes:
                    return 413, "{}"
            elif request is not None and isinstance(event, h11.EndOfMessage):
                headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
                return self._answer(bytes(body), headers)
            else:
                # It went away before it had asked for anything.
                raise ConnectionResetError


@contextlib.asynccontextmanager
async def listening(host: str, port: int, path: str, answer: Answer, max_body_bytes: int) -> AsyncIterator[int]:
    """Take webhooks until the context ends; gives the port. Raises `Unavailable` where it cannot be listened on."""
    listener = _Listener(path, answer, max_body_bytes)
    try:
        server = await asyncio.start_server(listener.serve, host, port)
    except OSError as error:
        raise Unavailable(
            f"webhooks cannot be listened for ({os.strerror(error.errno or 0)}): choose another port, or correct listen"
        ) from None
    async with server:
        yield server.sockets[0].getsockname()[1]
