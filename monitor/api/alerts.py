"""The WebSocket shell of `/v1/alerts`: moves messages between socket, journal and `Subscriber`, decides nothing.

Memory per client is bounded: 256 messages wait in the subscriber, the rest is the server's one write buffer,
because the next message is only given to the socket when the last one fitted.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from engines.errors import SidewitnessError
from monitor.alerts.catch_up import catch_up
from monitor.alerts.journal import Journal
from monitor.alerts.push import Close, Hub, Phase, Subscriber
from monitor.alerts.wire import SUBPROTOCOL
from monitor.api.access.authority import Authority
from monitor.api.access.grant import Client, Grant, Refusal
from monitor.api.access.roles import Permission
from monitor.api.auth import disclosure_of
from monitor.api.client import bearer_client
from monitor.api.cookies import session_cookie
from monitor.api.forwarded import Network, client_of
from monitor.api.gate import vouch
from monitor.api.hosts import is_welcome
from monitor.api.lobby import Lobby
from monitor.api.refusals import Refusals
from monitor.host.metrics import Metrics, TurnedAway

SUBSCRIBE_SECONDS = 5.0
# Of those who have not subscribed: whoever comes next takes the place of who is silent longest.
MAX_SILENT = 64
MAX_SILENT_PER_ADDRESS = 8
CLOSE_SECONDS = 5.0
# How soon a subscription ends whose token was revoked.
RECHECK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Doors:
    """Who may subscribe: how many, from the pages of which origins, and behind which proxies."""

    max_subscribers: int = 64
    origins: tuple[str, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()
    subscribe_seconds: float = SUBSCRIBE_SECONDS


@dataclass(frozen=True, slots=True)
class Room:
    """What the subscribers of one tenant are told of."""

    hub: Hub
    journal: Journal


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a socket comes from, and the session of the browser that opened it, if a page of ours did."""

    client: Client
    cookie: str | None = field(default=None, repr=False)


class Alerts:
    """Serves subscribers. Those who have not shown a token wait apart, in a few places, for a few seconds.

    Whoever has shown one is led into the room of its tenant, and hears of nothing else.
    """

    def __init__(
        self, rooms: Mapping[str, Room], authority: Authority, metrics: Metrics, refusals: Refusals, doors: Doors
    ) -> None:
        self._rooms = rooms
        self._led: dict[Subscriber, Room] = {}
        self._authority = authority
        self._metrics = metrics
        self._refusals = refusals
        self._doors = doors
        self._silent: Lobby[Subscriber] = Lobby(MAX_SILENT, MAX_SILENT_PER_ADDRESS)
        self._subscribed: set[Subscriber] = set()

    def route(self) -> WebSocketRoute:
        """Return the route."""
        return GuardedWebSocketRoute("/v1/alerts", self._serve, Permission.WATCH)

    async def _serve(self, socket: WebSocket) -> None:
        if not is_welcome(socket.headers.get("origin"), socket.headers.get("host"), self._doors.origins):
            self._refusals.count(TurnedAway.ORIGIN)
            # Not accepted: the handshake is answered with 403.
            await socket.close()
            return
        offered = socket.scope.get("subprotocols", [])
        # One that is not spoken is accepted too, and closed at once: where none is chosen, browsers and Node.js end the
        # connection themselves with 1006, and never see the code that says what is wrong.
        await socket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else next(iter(offered), None))
        if offered and SUBPROTOCOL not in offered:
            await _close(socket, Close.BAD_MESSAGE.code, f"offer the subprotocol {SUBPROTOCOL}")
        else:
            await self._subscription(socket)

    async def _subscription(self, socket: WebSocket) -> None:
        awake, shut = asyncio.Event(), asyncio.Event()

        def wake() -> None:
            awake.set()
            if subscriber.phase is Phase.STARTING and subscriber not in self._subscribed:
                self._seat(subscriber, socket)
            if subscriber.close is not None:
                shut.set()

        subscriber, client = Subscriber(wake), bearer_client(socket.scope, self._doors.trusted_proxies)
        caller = Caller(client, session_cookie(socket))
        shown_out = self._silent.enter(subscriber, client_of(socket.scope, self._doors.trusted_proxies))
        if shown_out is not None:
            self._refusals.count(TurnedAway.SILENT)
            shown_out.end(Close.CROWDED)
        timer = asyncio.get_running_loop().call_later(self._doors.subscribe_seconds, subscriber.deadline)
        try:
            # The third interrupts a send that a stalled client holds up.
            await _first_of(
                _receive(socket, subscriber),
                self._send(socket, subscriber, awake, caller),
                shut.wait(),
                self._recheck(subscriber, caller),
            )
        finally:
            timer.cancel()
            self._silent.leave(subscriber)
            self._subscribed.discard(subscriber)
            if (room := self._led.pop(subscriber, None)) is not None:
                room.hub.leave(subscriber)
        if subscriber.close is not None:
            if subscriber.close is Close.TOO_SLOW:
                self._metrics.slow_subscribers.inc()
            await _close(socket, subscriber.close.code, subscriber.close.reason)

    def _seat(self, subscriber: Subscriber, socket: WebSocket) -> None:
        """Give a place to one who has just shown a token."""
        self._silent.leave(subscriber)
        if len(self._subscribed) >= self._doors.max_subscribers:
            subscriber.end(Close.FULL)
            return
        vouch(socket.scope)
        self._subscribed.add(subscriber)
        # Fed before the journal is read, so that nothing falls between the two.
        self._led[subscriber].hub.join(subscriber)

    async def _send(self, socket: WebSocket, subscriber: Subscriber, awake: asyncio.Event, caller: Caller) -> None:
        while True:
            awake.clear()
            if subscriber.phase is Phase.CHECKING:
                await self._check(subscriber, caller)
            if (room := self._led.get(subscriber)) is not None:
                await catch_up(subscriber, room.journal)
            while (message := subscriber.take()) is not None:
                await socket.send_text(message.text)
                if message.decided_at is not None:
                    self._metrics.decision_to_socket.observe(time.monotonic() - message.decided_at)
            if subscriber.replay_after is None:
                await awake.wait()

    async def _check(self, subscriber: Subscriber, caller: Caller) -> None:
        """Ask whose token it is, or whose session where there is no token, once."""
        if not subscriber.bearer and caller.cookie is None:
            subscriber.end(Close.BAD_TOKEN)
            return
        try:
            if subscriber.bearer:
                found = await self._authority.identify(subscriber.bearer, caller.client)
            else:
                found = await self._authority.session(caller.cookie or "")
        except SidewitnessError as error:
            structlog.stdlib.get_logger("alerts").warning("a token cannot be checked", why=str(error))
            subscriber.end(Close.UNKNOWN)
            return
        if not isinstance(found, Grant):
            subscriber.end(Close.LOCKED if found is Refusal.LOCKED else Close.BAD_TOKEN)
        elif not found.may(Permission.WATCH):
            subscriber.end(Close.FORBIDDEN)
        elif (room := self._rooms.get(found.tenant)) is None:
            subscriber.end(Close.BAD_TOKEN)
        else:
            self._led[subscriber] = room
            subscriber.admit(disclosure_of(found))

    async def _recheck(self, subscriber: Subscriber, caller: Caller) -> None:
        """End the subscription when its token or session does: here, or by another process."""
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            if subscriber.phase not in (Phase.AWAITING, Phase.CHECKING) and not await self._holds(subscriber, caller):
                subscriber.end(Close.BAD_TOKEN)

    async def _holds(self, subscriber: Subscriber, caller: Caller) -> bool:
        if subscriber.bearer:
            return await self._authority.holds(subscriber.bearer, caller.client)
        return await self._authority.holds_session(caller.cookie or "")


class GuardedWebSocketRoute(WebSocketRoute):
    """A route whose first message brings the token; `permission` is what it asks for."""

    def __init__(self, path: str, endpoint: Callable[[WebSocket], Awaitable[None]], permission: Permission) -> None:
        super().__init__(path, endpoint)
        self.permission = permission


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
