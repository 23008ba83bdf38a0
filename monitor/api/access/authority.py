"""The one place where bearers are asked who they are; who is wrong too often waits, is counted, and is shut out.

A token of a kind that nobody can guess is heard from a locked address too: somebody's wrong tokens must not keep others
out who share the address with them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog

from engines.errors import SidewitnessError
from monitor.api.access.grant import Client, Grant, Refusal
from monitor.api.access.lockout import Lockout
from monitor.api.access.sessions import Sessions
from monitor.api.access.verifiers import Verifier
from monitor.host.metrics import Metrics


class Authority:
    """Everything about tokens that the surface asks; on the event loop."""

    def __init__(
        self,
        verifiers: Sequence[Verifier],
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        sessions: Sessions | None = None,
    ) -> None:
        self._verifiers = tuple(verifiers)
        self._metrics = metrics
        self._clock, self._pause = clock, pause
        self._lockout = Lockout()
        self._sessions = sessions

    async def identify(self, bearer: str, client: Client) -> Grant | Refusal:
        """Return what a bearer is granted, or why nothing, the latter after a while; raises `SidewitnessError`."""
        is_locked = self.locked_for(client) > 0.0
        found = await self._ask(bearer, client, is_locked)
        if isinstance(found, Grant):
            return found
        refusal = found or (Refusal.LOCKED if is_locked else Refusal.WRONG)
        self._metrics.tokens_refused.labels(refusal.cause).inc()
        if refusal is Refusal.WRONG:
            await self._penalise(client)
        return refusal

    async def holds(self, bearer: str, client: Client) -> bool:
        """Whether a bearer that was granted something still is; what cannot be told now is taken for yes."""
        try:
            return isinstance(await self._ask(bearer, client, False), Grant)
        except SidewitnessError:
            # Whoever is being told of alerts is not cut off because a database is away.
            return True

    async def session(self, cookie: str) -> Grant | Refusal:
        """Return what the bearer of a session's cookie is granted; raises `JournalError`.

        A wrong one costs nothing: nobody guesses 256 bits, and a browser goes on sending one that is over.
        """
        found = await asyncio.to_thread(self._sessions.find, cookie) if self._sessions else Refusal.ENDED
        if isinstance(found, Refusal):
            self._metrics.tokens_refused.labels(found.cause).inc()
        return found

    async def holds_session(self, cookie: str) -> bool:
        """Whether a session that was begun still lasts; what cannot be told now is taken for yes, as in `holds`."""
        try:
            return isinstance(await self.session(cookie), Grant)
        except SidewitnessError:
            return True

    def locked_for(self, client: Client) -> float:
        """Return for how many seconds tokens that could be guessed are not heard from this client."""
        return self._lockout.locked_for(client.address, self._clock())

    async def _ask(self, bearer: str, client: Client, is_locked: bool) -> Grant | Refusal | None:
        for verifier in self._verifiers:
            if is_locked and verifier.guessable:
                continue
            found = await verifier.identify(bearer, client)
            if found is not None:
                return found
        return None

    async def _penalise(self, client: Client) -> None:
        self._lockout, penalty = self._lockout.failed(client.address, self._clock(), client.lockable)
        event = "a wrong token: its address is locked" if penalty.lock_seconds else "a wrong token"
        structlog.stdlib.get_logger("access").warning(event, address=client.address, seconds=penalty.lock_seconds)
        await self._pause(penalty.delay_seconds)
