"""A session with Janus over a WebSocket: what is asked, what is answered, and what is told of a handle."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from plugins.base import Unavailable
from plugins.protocols import janus

ANSWER_SECONDS = 10.0
BROKE = "the connection to Janus broke: it is made again"

JsonObject = dict[str, Any]


class Link:
    """A session with Janus over a WebSocket: requests and their answers, and events by handle."""

    def __init__(self, socket: ClientConnection, credentials: Mapping[str, SecretStr | None]) -> None:
        self._socket = socket
        self._always = {name: value.get_secret_value() for name, value in credentials.items() if value is not None}
        self._session = 0
        self._answers: dict[str, asyncio.Future[janus.Message]] = {}
        self._listeners: dict[int, Callable[[janus.Message], None]] = {}

    async def read(self) -> None:
        """Take what Janus says until the session ends; raises `Unavailable`."""
        try:
            async for text in self._socket:
                message = janus.parse(text)
                if janus.is_over(message) and message.kind == "timeout":
                    raise Unavailable("Janus has ended the session: it is begun again")
                answer = self._answers.get(message.transaction)
                if answer is not None and message.kind != "ack" and not answer.done():
                    answer.set_result(message)
                elif message.sender in self._listeners:
                    self._listeners[message.sender](message)
        except janus.JanusError as error:
            raise Unavailable(str(error)) from None
        except ConnectionClosed:
            pass
        finally:
            # Nobody reads any more, so nobody who has asked will be answered.
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(Unavailable(BROKE))
        raise Unavailable(BROKE)

    async def create(self) -> None:
        """Begin the session."""
        self._session = (await self.ask("create")).number

    async def attach(self, listener: Callable[[janus.Message], None], plugin: str = janus.PLUGIN) -> int:
        """Attach a handle to a plug-in of Janus and have its events heard; returns its number."""
        handle = (await self.ask("attach", plugin=plugin)).number
        self._listeners[handle] = listener
        return handle

    async def message(self, handle: int, body: JsonObject, jsep: JsonObject | None = None) -> janus.Message:
        """Ask the video room for something; raises `RefusedError` or `Unavailable`."""
        extra: JsonObject = {"jsep": jsep} if jsep is not None else {}
        return await self.ask("message", handle_id=handle, body=body, **extra)

    async def ask(self, kind: str, **fields: Any) -> janus.Message:
        """Send a request and wait for what is more than an acknowledgement; raises `RefusedError`, `Unavailable`."""
        transaction = secrets.token_hex(8)
        answer: asyncio.Future[janus.Message] = asyncio.get_running_loop().create_future()
        self._answers[transaction] = answer
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self.tell(kind, transaction, **fields)
                message = await answer
        except TimeoutError:
            raise Unavailable("Janus does not answer: see its log") from None
        finally:
            del self._answers[transaction]
        if message.refusal is not None:
            raise message.refusal
        return message

    async def tell(self, kind: str, transaction: str = "", **fields: Any) -> None:
        """Send a request and wait for nothing; raises `Unavailable`."""
        session = {"session_id": self._session} if self._session else {}
        request = {"janus": kind, "transaction": transaction or secrets.token_hex(8), **session, **self._always}
        try:
            await self._socket.send(json.dumps({**request, **fields}))
        except ConnectionClosed:
            raise Unavailable(BROKE) from None

    async def detach(self, handle: int) -> None:
        """Let a handle go."""
        self._listeners.pop(handle, None)
        with suppress(Unavailable):
            await self.tell("detach", handle_id=handle)
