"""Whom participants claim to be: asked as they join, and anew when their platform shows another name of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Protocol

import structlog

from monitor.identity.claimed import Claimed
from monitor.types import ParticipantKey, Profile

Place = tuple[str, str]


class Claimant(Protocol):
    """A participant who is judged."""

    def claim(self, claimed: Claimed) -> None:
        """Be taken for somebody else from now on."""
        ...


class Claiming:
    """Asks `decide`, which blocks, in a thread of `pool`, of asyncio's own where it is None.

    Keeps what was asked of those who are here.
    """

    def __init__(self, pool: Executor | None, decide: Callable[[ParticipantKey, Profile], Claimed]) -> None:
        self._pool, self._decide = pool, decide
        self._asked: dict[Place, tuple[ParticipantKey, Profile]] = {}
        self._asking: set[asyncio.Task[None]] = set()

    async def ask(self, key: ParticipantKey, profile: Profile | None) -> Claimed:
        """Say whom somebody claims to be."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._decide, key, profile or Profile())

    def joined(self, key: ParticipantKey, profile: Profile | None) -> None:
        """Take note of what was asked of somebody who is here now."""
        self._asked[key.call, key.participant] = key, profile or Profile()

    def way_in(self, place: Place) -> str | None:
        """Name the way in that brought somebody who is here; None where they published themselves."""
        asked = self._asked.get(place)
        return asked[1].plugin if asked is not None else None

    def left(self, place: Place) -> None:
        """Forget somebody."""
        self._asked.pop(place, None)

    def show(self, key: ParticipantKey, profile: Profile, claimant: Claimant) -> None:
        """Take what is said of somebody who is here; where that is something else than before, ask again.

        An identity that was stated stays until another one is: whoever takes off a name is not rid of it.
        """
        place = (key.call, key.participant)
        asked = self._asked.get(place)
        if asked is None:
            return
        now = (asked[0] if key.identity is None else key), profile
        if now == asked:
            return
        self._asked[place] = now
        task = asyncio.get_running_loop().create_task(self._ask_again(place, now, claimant))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _ask_again(self, place: Place, said: tuple[ParticipantKey, Profile], claimant: Claimant) -> None:
        try:
            claimed = await self.ask(*said)
        except Exception:
            # They stay who they were: that is compared.
            structlog.stdlib.get_logger("host").exception("it could not be asked anew whom somebody claims to be")
            return
        # Unless they have left, or have another name again by now.
        if self._asked.get(place) == said:
            claimant.claim(claimed)
