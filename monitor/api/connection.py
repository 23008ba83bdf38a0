"""One HTTP connection, bounded by us and not by a library's default: what it may send, and how long it may take.

A connection that has sent no whole request waits in a lobby, whether it is new, half-sent, between two requests or
about to close: so many places, so long, and when all are taken whoever has waited longest goes. An answer to a caller
who has shown no token has its time too. Whoever has shown one is bounded by the application.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Protocol

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from monitor.api.forwarded import Network, client_of
from monitor.api.gate import is_placed
from monitor.api.guard import SECURITY
from monitor.api.lobby import Lobby
from monitor.api.problem import MEDIA_TYPE
from monitor.api.refusals import Refusals
from monitor.host.metrics import TurnedAway

MAX_WAITING = 256
# From the first byte, or the end of the last answer, to the end of a request's headers.
WAIT_SECONDS = 10.0
# Of a request without a token, from its headers to the end of its answer, which a slow reader holds up.
ANSWER_SECONDS = 30.0
# Names of 128 letters, each as twelve characters when percent-encoded: a call, a participant and an identity fit.
MAX_TARGET_BYTES = 8192
MAX_HEADERS = 64
MAX_HEAD_BYTES = 24576
TOO_LARGE = {
    414: "the address is too long",
    431: f"send at most {MAX_HEADERS} headers, and {MAX_HEAD_BYTES} bytes of them",
}
UNREADABLE = "this is no HTTP/1.1 request"
# A line for each bad request would let strangers fill the log: they are counted instead. By a filter, since a level is
# lost when the program around this one configures uvicorn's log.
QUIET = logging.getLogger("uvicorn.error.requests")
QUIET.addFilter(lambda record: record.levelno >= logging.ERROR)


class Waiting(Protocol):
    """Something with a connection that can be ended."""

    transport: asyncio.Transport

    def __hash__(self) -> int:
        """Each is itself and no other."""
        ...


class Connections:
    """The connections of one listener that wait, and how many may."""

    def __init__(
        self,
        refusals: Refusals,
        per_address: int = MAX_WAITING,
        trusted_proxies: Sequence[Network] = (),
        places: int = MAX_WAITING,
    ) -> None:
        self.refusals = refusals
        self._lobby: Lobby[Waiting] = Lobby(places, per_address)
        self._trusted = tuple(trusted_proxies)

    def wait(self, who: Waiting, client: tuple[str, int] | None) -> None:
        """Let a connection wait; whoever has waited longest may have to go for it."""
        shown_out = self._lobby.enter(who, client_of({"client": client, "headers": []}, self._trusted))
        if shown_out is not None:
            self.refusals.count(TurnedAway.IDLE)
            shown_out.transport.abort()

    def leave(self, who: Waiting) -> None:
        """Say that a connection waits no more; safe to call twice."""
        self._lobby.leave(who)


class ListenerConfig(uvicorn.Config):
    """uvicorn's configuration, with what the connections of one listener share."""

    def __init__(self, app: Any, connections: Connections, **options: Any) -> None:
        super().__init__(app, http=BoundedHttp, **options)
        self.connections = connections


class BoundedParser(h11.Connection):
    """h11's parser, with limits that hold for a request that comes in one piece as well."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, MAX_HEAD_BYTES)
        self.refused_with = 400

    def next_event(self) -> Any:
        """Return what has come; raises `h11.RemoteProtocolError`."""
        try:
            event = super().next_event()
            if isinstance(event, h11.Request):
                _check_size(event)
        except h11.RemoteProtocolError as error:
            self.refused_with = error.error_status_hint
            raise
        return event


def _check_size(request: h11.Request) -> None:
    if len(request.target) > MAX_TARGET_BYTES:
        raise h11.RemoteProtocolError("target too long", error_status_hint=414)
    size = sum(len(name) + len(value) for name, value in request.headers)
    if len(request.headers) > MAX_HEADERS or size > MAX_HEAD_BYTES:
        raise h11.RemoteProtocolError("headers too large", error_status_hint=431)


class BoundedHttp(H11Protocol):
    """uvicorn's protocol: a connection either waits or is answered, and has its time for either."""

    config: ListenerConfig

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.conn = self._parser = BoundedParser()
        self.logger = QUIET
        self._connections = self.config.connections
        self._answered: object | None = None
        self._is_waiting = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._let_go()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take more of a request."""
        super().data_received(data)
        self._settle()

    def on_response_complete(self) -> None:
        """Wait for the next request, or answer the one that has come meanwhile."""
        super().on_response_complete()
        self._settle()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Leave the connection to the WebSocket, which has rules of its own."""
        self._let_go()
        self._answered = self
        super().handle_websocket_upgrade(event)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request of ours, as everything else is refused."""
        status = self._parser.refused_with
        if status in TOO_LARGE:
            self._connections.refusals.count(TurnedAway.TOO_LARGE)
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            # In the middle of an answer: there is no place for another one.
            self.transport.abort()
            return
        title = HTTPStatus(status).phrase
        detail = TOO_LARGE.get(status, UNREADABLE)
        body = json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail}).encode()
        headers = {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body)), "Connection": "close", **SECURITY}
        answer = h11.Response(
            status_code=status,
            reason=title.encode(),
            headers=[(name.encode(), value.encode()) for name, value in headers.items()],
        )
        for part in (answer, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(part) or b"")
        self.transport.close()

    def _settle(self) -> None:
        if self._answered is self:
            return
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            if not self._is_waiting:
                self._is_waiting = True
                self._connections.wait(self, self.client)
                self._give(WAIT_SECONDS, self._waited_too_long)
        elif cycle is not self._answered:
            self._let_go()
            self._answered = cycle
            self._give(ANSWER_SECONDS, self._answered_too_long)

    def _let_go(self) -> None:
        self._is_waiting = False
        self._connections.leave(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give(self, seconds: float, over: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, over)

    def _waited_too_long(self) -> None:
        # Not told in the log: browsers open connections that they do not use.
        self._connections.refusals.count(TurnedAway.IDLE, quietly=True)
        self.transport.abort()

    def _answered_too_long(self) -> None:
        place = is_placed(self.scope)  # type: ignore[arg-type]
        if place is None or not place.is_vouched:
            self._connections.refusals.count(TurnedAway.IDLE)
            self.transport.abort()
