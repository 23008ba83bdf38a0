"""The WebSocket shell of `/v1/alerts`: moves messages between socket, journal and `Subscriber`, decides nothing.

Memory per client is bounded: 256 messages wait in the subscriber, the rest is the server's one write buffer,
because the next message is only given to the socket when the last one fitted.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from typing import Any

import structlog
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from monitor.alerts.catch_up import catch_up
from monitor.alerts.journal import Journal
from monitor.alerts.push import Close, Hub, Subscriber
from monitor.alerts.wire import SUBPROTOCOL
from monitor.api.auth import Token
from monitor.host.metrics import Metrics

SUBSCRIBE_SECONDS = 10.0
CLOSE_SECONDS = 5.0
TRY_AGAIN_CODE = 1013


class Alerts:
    """Serves subscribers, `limit` at most, those included that have not yet shown a token."""

    def __init__(
        self,
        hub: Hub,
        journal: Journal,
        token: Token,
        metrics: Metrics,
        limit: int = 64,
        subscribe_seconds: float = SUBSCRIBE_SECONDS,
    ) -> None:
        self._hub = hub
        self._journal = journal
        self._token = token
        self._metrics = metrics
        self._limit = limit
        self._subscribe_seconds = subscribe_seconds
        self._connected = 0

    def route(self) -> WebSocketRoute:
        """Return the route."""
        return WebSocketRoute("/v1/alerts", self._serve)

    async def _serve(self, socket: WebSocket) -> None:
        offered = socket.scope.get("subprotocols", [])
        # One that is not spoken is accepted too, and closed at once: where none is chosen, browsers and Node.js end the
        # connection themselves with 1006, and never see the code that says what is wrong.
        await socket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else next(iter(offered), None))
        if offered and SUBPROTOCOL not in offered:
            await _close(socket, Close.BAD_MESSAGE.code, f"offer the subprotocol {SUBPROTOCOL}")
        elif self._connected >= self._limit:
            await _close(socket, TRY_AGAIN_CODE, "too many subscribers: try again later")
        else:
            self._connected += 1
            try:
                await self._subscription(socket)
            finally:
                self._connected -= 1

    async def _subscription(self, socket: WebSocket) -> None:
        awake, shut = asyncio.Event(), asyncio.Event()

        def wake() -> None:
            awake.set()
            if subscriber.close is not None:
                shut.set()

        subscriber = Subscriber(self._token.check, wake)
        # Fed before the journal is read, so that nothing falls between the two.
        self._hub.join(subscriber)
        timer = asyncio.get_running_loop().call_later(self._subscribe_seconds, subscriber.deadline)
        try:
            # The third interrupts a send that a stalled client holds up.
            await _first_of(_receive(socket, subscriber), self._send(socket, subscriber, awake), shut.wait())
        finally:
            timer.cancel()
            self._hub.leave(subscriber)
        if subscriber.close is not None:
            if subscriber.close is Close.TOO_SLOW:
                self._metrics.slow_subscribers.inc()
            await _close(socket, subscriber.close.code, subscriber.close.reason)

    async def _send(self, socket: WebSocket, subscriber: Subscriber, awake: asyncio.Event) -> None:
        while True:
            awake.clear()
            await catch_up(subscriber, self._journal)
            while (message := subscriber.take()) is not None:
                await socket.send_text(message.text)
                if message.decided_at is not None:
                    self._metrics.decision_to_socket.observe(time.monotonic() - message.decided_at)
            if subscriber.replay_after is None:
                await awake.wait()


async def _receive(socket: WebSocket, subscriber: Subscriber) -> None:
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text")
        subscriber.receive(text if text is not None else message.get("bytes") or b"")


async def _first_of(*coroutines: Coroutine[Any, Any, Any]) -> None:
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        # A client that has gone is no error; uvicorn says so by an OSError.
        if isinstance(result, Exception) and not isinstance(result, OSError):
            structlog.stdlib.get_logger("alerts").error("a subscription failed", exc_info=result)


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    with contextlib.suppress(TimeoutError, OSError, RuntimeError, WebSocketDisconnect):
        await asyncio.wait_for(socket.close(code, reason), CLOSE_SECONDS)
