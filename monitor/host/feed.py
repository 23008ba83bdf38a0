"""What a subscriber of `/v1/alerts` is sent, for a reader in this process."""

from __future__ import annotations

import asyncio
import json
import weakref
from typing import Self

from monitor.alerts.catch_up import catch_up
from monitor.alerts.disclosure import Disclosure
from monitor.alerts.journal import Journal
from monitor.alerts.push import Hub, Subscriber
from monitor.alerts.wire import Message


class Feed:
    """Findings after a sequence number, and states where they are asked for, until the sidecar ends.

    Every finding comes, in order, however slowly they are read; a reader who falls behind misses states.
    """

    def __init__(self, hub: Hub, journal: Journal, after: int | None = None, states: bool = False) -> None:
        self._hub, self._journal = hub, journal
        self._cursor, self._states = after, states
        self._awake = asyncio.Event()
        self._ended = False
        self._subscriber = self._subscribe()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        """Return the next `finding`, `state`, `unmonitored`, `gap` or `tampered`."""
        while True:
            self._awake.clear()
            await catch_up(self._subscriber, self._journal)
            while (outgoing := self._subscriber.take()) is not None:
                message: Message = json.loads(outgoing.text)
                if self._is_for_the_reader(message):
                    return message
            if self._subscriber.close is not None:
                self._leave()
                self._subscriber = self._subscribe()
            elif self._subscriber.replay_after is None:
                if self._ended:
                    self._leave()
                    raise StopAsyncIteration
                await self._awake.wait()

    def end(self) -> None:
        """End after what there is now."""
        self._ended = True
        self._awake.set()

    def _is_for_the_reader(self, message: Message) -> bool:
        kind = message["type"]
        if kind == "hello":
            self._cursor = message["seq"] if self._cursor is None else self._cursor
        elif kind not in ("state", "unmonitored", "case"):
            self._cursor = message["after"] if kind == "gap" else message["seq"]
        return bool(kind != "hello")

    def _subscribe(self) -> Subscriber:
        subscriber = Subscriber(self._awake.set)
        self._hub.join(subscriber)
        subscriber.receive(
            json.dumps({"type": "subscribe", "token": "", "after": self._cursor, "states": self._states})
        )
        # Whoever embeds the sidecar may see everything.
        subscriber.admit(Disclosure.FULL)
        # A reader who stops reading need not say so.
        self._leave = weakref.finalize(self, self._hub.leave, subscriber)
        return subscriber
