"""What is asked of every request before the application sees it: is it for this server, and is there room.

Callers who have shown no token share few places, and each address has fewer; whoever has shown one is not counted any
more (`vouch`), so strangers cannot use up the room of those who belong here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.api.forwarded import Network, client_of
from monitor.api.hosts import is_served
from monitor.api.lobby import InProgress
from monitor.api.problem import Problem
from monitor.api.refusals import Refusals
from monitor.host.metrics import TurnedAway

MAX_IN_PROGRESS = 256
RETRY_SECONDS = "5"
PLACE = "sidewitness.place"
PROBLEMS = {
    TurnedAway.HOST: Problem(421, "this server is not known by that name: see the setting allowed_hosts"),
    TurnedAway.ADDRESS: Problem(
        429, "too many requests at once from this address: try again later", headers={"Retry-After": RETRY_SECONDS}
    ),
    TurnedAway.FULL: Problem(503, "too many requests at once: try again later", headers={"Retry-After": RETRY_SECONDS}),
}


class Place:
    """The place of one request in progress; given back once, when it ends or has shown a token."""

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back: Callable[[], None] | None = give_back
        self.is_vouched = False

    def vouch(self) -> None:
        """Say that a right token was shown: no limit for strangers holds any more."""
        self.is_vouched = True
        self.release()

    def release(self) -> None:
        """Give the place back; safe to call twice."""
        if self._give_back is not None:
            self._give_back()
            self._give_back = None


def vouch(scope: Scope) -> None:
    """Say of a request that it has shown a right token."""
    place = is_placed(scope)
    if place is not None:
        place.vouch()


def is_placed(scope: Scope) -> Place | None:
    """Return the place of a request; None where it has not come through a gate."""
    # In `state`, which copies of a scope share: the connection looks there as well.
    place = scope.get("state", {}).get(PLACE)
    return place if isinstance(place, Place) else None


class Gate:
    """ASGI middleware inside the guard, which puts its headers on what is refused here too."""

    def __init__(
        self,
        app: ASGIApp,
        refusals: Refusals,
        names: Collection[str],
        trusted_proxies: Sequence[Network] = (),
        per_address: int = 64,
        places: int = MAX_IN_PROGRESS,
    ) -> None:
        self._app = app
        self._refusals = refusals
        self._names = frozenset(names)
        self._trusted = tuple(trusted_proxies)
        self._progress = InProgress(places, per_address)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        address = client_of(scope, self._trusted)
        cause = self._objection(scope, address)
        if cause is not None:
            self._refusals.count(cause)
            await _refuse(cause, scope, receive, send)
            return
        self._progress.begin(address)
        place = Place(lambda: self._progress.end(address))
        scope.setdefault("state", {})[PLACE] = place
        try:
            await self._app(scope, receive, send)
        finally:
            place.release()

    def _objection(self, scope: Scope, address: str | None) -> TurnedAway | None:
        if not is_served(Headers(scope=scope).get("host"), self._names):
            return TurnedAway.HOST
        if self._progress.is_crowded(address):
            return TurnedAway.ADDRESS
        return TurnedAway.FULL if self._progress.is_full else None


async def _refuse(cause: TurnedAway, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        # Before the handshake: it is answered with 403.
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    await PROBLEMS[cause].response()(scope, receive, send)
