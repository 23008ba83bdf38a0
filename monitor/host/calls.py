"""What the HTTP surface asks of whoever judges: a `Host` in this process now, hosts in other processes later.

Whatever may have to cross to another process is a coroutine, and takes and returns plain values: an offer goes to where
the media will arrive, and is answered there.
"""

from __future__ import annotations

from typing import Protocol

from monitor.alerts.wire import Message
from monitor.types import ParticipantKey

RETRY_SECONDS = 5


class AtCapacity(Exception):  # noqa: N818 - a refusal, not a failure
    """No room: the server is full, too slow for more, or shutting down. `retry_after` is in seconds."""

    def __init__(self, why: str, retry_after: int = RETRY_SECONDS) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class Publication(Protocol):
    """A participant whose media come in answer to an SDP offer, for as long as they do."""

    @property
    def key(self) -> ParticipantKey:
        """Who is judged."""
        ...

    @property
    def answer(self) -> str:
        """The SDP answer."""
        ...

    @property
    def etag(self) -> str:
        """Identifies the ICE session (RFC 9725, 4.3.1)."""
        ...

    @property
    def ended(self) -> bool:
        """Whether the participant has left, or published anew."""
        ...

    async def add_candidates(self, fragment: str) -> None:
        """Take trickled candidates; raises `SdpError`."""
        ...

    async def end(self) -> None:
        """Let the participant leave; returns when their findings are closed. Safe to call twice."""
        ...


class Calls(Protocol):
    """Everybody who is judged, by call and participant."""

    @property
    def draining(self) -> bool:
        """Whether nobody is admitted any more because the sidecar is shutting down."""
        ...

    async def publish(self, key: ParticipantKey, offer: str) -> Publication:
        """Answer an offer and judge what it brings; ends the participant's earlier publication.

        Raises `AtCapacity`, `SdpError`, or `TimeoutError` where no answer could be made in time.
        """
        ...

    async def remove(self, call: str, participant: str) -> bool:
        """Stop judging a participant, wherever they came in; False where there is none."""
        ...

    async def calls(self) -> list[Message]:
        """Describe every call: the entries of `GET /v1/calls`."""
        ...

    async def call(self, name: str) -> Message | None:
        """Describe one call; None when nobody in it is judged."""
        ...
