"""The seam between a way into a call and the sidecar: an asynchronous stream of items, each with its capture time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from engines.errors import SidewitnessError
from monitor.types import MediaItem

# The reason of the last state of a participant whose media stopped coming while the connection stayed.
MEDIA_ENDED = "media_ended"
# The reasons of the last state of one who never connected, or whose connection was lost.
NO_ICE_ANSWER = "no_ice_answer"
DTLS_FAILED = "dtls_failed"
CONSENT_EXPIRED = "consent_expired"
CONNECTION_FAILURES = (NO_ICE_ANSWER, DTLS_FAILED, CONSENT_EXPIRED)


class SourceError(SidewitnessError):
    """A source cannot be opened or read; the message is one line that says what to do."""


class Source(Protocol):
    """One participant's media. Implementations keep a bounded backlog and drop the oldest items, counting them."""

    def __aiter__(self) -> AsyncIterator[MediaItem]:
        """Yield frames, audio blocks and faults until the participant leaves."""
        ...

    def pause(self, paused: bool) -> None:
        """Keep the connection and decode nothing, or go on; what is left out while paused is not counted as dropped.

        Never blocks; safe to call twice. After a pause media begin as they did at first: with a picture that stands by
        itself.
        """
        ...

    async def close(self) -> None:
        """Stop and release everything; safe to call twice, never blocks the event loop."""
        ...

    @property
    def dropped(self) -> int:
        """Items dropped so far because the reader was too slow."""
        ...


@runtime_checkable
class Explaining(Protocol):
    """A source that may know why it ended."""

    @property
    def end_reason(self) -> str | None:
        """The reason of the participant's last state (`media_ended`); None where there is nothing special to say."""
        ...


@runtime_checkable
class Hearing(Protocol):
    """A source that knows when something came last, whether or not it was decoded."""

    @property
    def heard_at(self) -> float | None:
        """When the last media packet came, in monotonic seconds; None before the first."""
        ...


@dataclass(frozen=True, slots=True)
class ConnectionFailure:
    """Why a connection failed: one of `CONNECTION_FAILURES`, and a sentence for the log without names or addresses."""

    reason: str
    detail: str


@runtime_checkable
class Connecting(Protocol):
    """A source that takes its time to connect, and may never."""

    @property
    def connecting(self) -> bool:
        """Whether it has not connected yet."""
        ...

    @property
    def failure(self) -> ConnectionFailure | None:
        """Why it did not connect or was lost, once it has ended; None where it did not fail."""
        ...


@runtime_checkable
class PullSource(Source, Protocol):
    """A source that decodes in the thread of its reader, so that no picture goes from thread to thread.

    Its backlog holds encoded frames. Iterating it asynchronously gives the same items.
    """

    def take(self, limit: int) -> list[MediaItem]:
        """Decode up to `limit` frames from the head of the backlog; returns their items and all faults; never blocks.

        To be called from any thread, by one at a time.
        """
        ...

    @property
    def oldest(self) -> float | None:
        """Arrival of the frame at the head of the backlog in monotonic seconds, None where it is empty."""
        ...

    @property
    def ended(self) -> bool:
        """Whether nothing will come any more."""
        ...
