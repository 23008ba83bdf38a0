"""One publication on this machine: a peer that an SDP offer opened, and the participant whose media it brings."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from monitor.host.participant import Participant
from monitor.tap.media.source import Source
from monitor.types import ParticipantKey


class Peer(Source, Protocol):
    """A source that was opened by an SDP offer."""

    @property
    def etag(self) -> str:
        """Identifies the ICE session (RFC 9725, 4.3.1)."""
        ...

    async def add_candidates(self, fragment: str) -> None:
        """Take trickled candidates; raises `SdpError`."""
        ...


# Takes an offer, gives the peer that it opened and the SDP answer; raises `SdpError`.
Answer = Callable[[str], Coroutine[Any, Any, tuple[Peer, str]]]


@dataclass(frozen=True, slots=True)
class PeerPublication:
    """A `monitor.host.calls.Publication` whose media arrive here."""

    participant: Participant
    peer: Peer
    answer: str

    @property
    def key(self) -> ParticipantKey:
        """Who is judged."""
        return self.participant.key

    @property
    def etag(self) -> str:
        """Identifies the ICE session."""
        return self.peer.etag

    @property
    def ended(self) -> bool:
        """Whether the participant has left."""
        return self.participant.ended

    async def wait(self) -> None:
        """Return when the participant has left."""
        await self.participant.wait()

    async def add_candidates(self, fragment: str) -> None:
        """Take trickled candidates; raises `SdpError`."""
        await self.peer.add_candidates(fragment)

    async def end(self) -> None:
        """Let the participant leave."""
        await self.participant.end()
