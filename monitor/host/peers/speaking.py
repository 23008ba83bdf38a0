"""What a gateway says to others: everything that it knows when one comes, and then whatever changes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from monitor.alerts.finding import Finding
from monitor.alerts.wire import Message
from monitor.host.cluster.audience import Audience
from monitor.host.cluster.frames import VERSION
from monitor.host.cluster.ledger import Place, Seat
from monitor.host.cluster.link import Link
from monitor.host.departed import Departed
from monitor.identity.claimed import Claimed
from monitor.types import ParticipantKey

# So long it may take until another gateway knows of somebody who has just been published: then they are not waited for.
ARRIVAL_SECONDS = 0.5
# Of those who are told of in one frame.
TOGETHER = 64


class Speaking(Audience):
    """Says over every link of another gateway what it is told; see `monitor.host.cluster.audience.Audience`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._links: set[Link] = set()
        self._remembered: dict[ParticipantKey, Departed] = {}
        self._own_ways: dict[str, list[str]] = {"configured": [], "claimed": []}

    def greet(self, link: Link, seats: Sequence[Seat], now: float) -> None:
        """Say to one that has just come who speaks, and everything that is known; it is told what changes then."""
        link.say("hello", {"version": VERSION, "id": self.name, "now": now})
        everything = [("seat", seat) for seat in seats] + [("kept", known) for known in self._remembered.values()]
        for number, (op, body) in enumerate(everything):
            if number % TOGETHER == 0:
                # Of a thousand people it would be more than goes into one frame.
                link.pause()
            link.say(op, body)
        link.say("ways", self._own_ways)
        link.say("whole")
        self._links.add(link)

    def part(self, link: Link) -> None:
        """Say nothing to one any more; safe to call twice."""
        self._links.discard(link)

    def ways(self, configured: frozenset[str], claimed: frozenset[str]) -> None:
        """Say which ways in the settings name, and which of them are opened here."""
        self._own_ways = {"configured": sorted(configured), "claimed": sorted(claimed)}
        self._say("ways", self._own_ways)

    def seated(self, seat: Seat) -> None:
        """Say that somebody is judged from now on."""
        self._say("seat", seat)

    def claimed(self, claimed: Claimed) -> None:
        """Say that somebody is taken to claim somebody else."""
        self._say("claimed", claimed)

    def ended(self, place: Place) -> None:
        """Say that somebody is judged no more."""
        self._say("ended", place)

    def state(self, message: Message, decided_at: float | None) -> None:
        """Say a state."""
        self._say("state", {"message": message, "at": decided_at}, f"{message['call']} {message['participant']}")

    def notice(self, message: Message, decided_at: float | None) -> None:
        """Say what subscribers are told once."""
        self._say("notice", {"message": message, "at": decided_at})

    def finding(self, finding: Finding, decided_at: float) -> None:
        """Say a change of a finding."""
        self._say("finding", {"finding": finding, "at": decided_at})

    def checkpoint(self, known: Departed, continues: str | None) -> None:
        """Say what would be remembered of somebody: only the newest counts, but a face is said once."""
        about = None if known.face is not None else f"{known.key.call} {known.key.participant}"
        self._say("checkpoint", {"known": known, "continues": continues}, about)

    def remembered(self, departed: Sequence[Departed]) -> None:
        """Say who is remembered, and who no more, since this was called last."""
        now = {one.key: one for one in departed}
        for key in self._remembered.keys() - now.keys():
            self._say("let_go", key)
        for key, one in now.items():
            if self._remembered.get(key) is not one:
                self._say("kept", one)
        self._remembered = now

    def beat(self, **how: Any) -> None:
        """Say that this gateway lives, and how it does."""
        self._say("beat", how, "")

    def leaving(self) -> None:
        """Say that it is about to end in order."""
        self._say("leaving")

    async def arrived(self) -> None:
        """Wait until everybody has taken what was said before: over a link that comes in its order."""
        asked = [link.ask("ping", None, ARRIVAL_SECONDS) for link in self._links]
        await asyncio.gather(*asked, return_exceptions=True)

    def hush(self) -> list[Link]:
        """Say nothing to anybody from now on; returns whom it was said to."""
        links, self._links = list(self._links), set()
        return links

    def _say(self, op: str, body: Any = None, about: str | None = None) -> None:
        for link in self._links:
            link.say(op, body, about)
