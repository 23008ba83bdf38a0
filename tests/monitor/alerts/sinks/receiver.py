"""A receiver of sinks: HTTP/1.1 over TCP or TLS, as the test says for each request, and what it has accepted."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

PATIENCE = 20.0
Fault = Literal["reset", "half", "silence"]


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


Decide = Callable[[Request], Answer | Fault]


def accept(_request: Request) -> Answer:
    return Answer()


class Receiver:
    """Keeps every request, and those that it has accepted with a whole answer; `decide` says what becomes of one."""

    def __init__(self, decide: Decide = accept) -> None:
        self.decide = decide
        self.requests: list[Request] = []
        self.accepted: list[Request] = []
        self.connections = 0
        self.port = 0
        self.tls = False
        self._changed = asyncio.Event()
        self._serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}" if self.tls else f"http://127.0.0.1:{self.port}"

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving[task] = writer

    async def close(self) -> None:
        for writer in self._serving.values():
            writer.transport.abort()
        await asyncio.gather(*self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                while await self._one(reader, writer):
                    pass
        finally:
            writer.transport.abort()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        request = Request(method, target, headers, body)
        answer = self.decide(request)
        self.requests.append(request)
        whole = isinstance(answer, Answer)
        if isinstance(answer, Answer):
            lines = {"Content-Length": str(len(answer.body)), **answer.headers}
            head_back = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
            # Noted before it is told: whoever is told may look at once.
            if 200 <= answer.status < 300:
                self.accepted.append(request)
            writer.write(f"HTTP/1.1 {answer.status} x\r\n{head_back}\r\n".encode() + answer.body)
            await writer.drain()
        elif answer == "half":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
            await writer.drain()
        self._changed.set()
        if answer == "silence":
            # Until the other side has had enough.
            await reader.read(1)
        return whole


@asynccontextmanager
async def receiving(decide: Decide = accept, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver(decide)
    receiver.tls = tls is not None
    server = await asyncio.start_server(receiver.connected, "127.0.0.1", 0, ssl=tls, limit=1 << 22)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        await receiver.close()
        await server.wait_closed()
