"""What waits to be judged of one participant: in the source, where whoever judges decodes it, else in a small batch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from monitor.tap.media.source import PullSource, Source
from monitor.types import MediaItem

# Of a source that decodes by itself: more than that waits in the source, which may drop it.
BATCH_ITEMS = 16
# Encoded frames that are decoded at once: half a second of both tracks, where sound comes in its shortest frames.
DECODE_FRAMES = 256


class Backlog(Protocol):
    """Used on the event loop, all but `decode`, which is called in the thread that judges."""

    @property
    def ended(self) -> bool:
        """Whether nothing waits and nothing will come any more."""
        ...

    @property
    def oldest_arrival(self) -> float | None:
        """When what waits longest arrived, where that is known before it is decoded."""
        ...

    def start(self, wake: Callable[[], None]) -> None:
        """Begin, on the running loop; `wake` is called when a step should not wait for its turn."""
        ...

    def stop(self) -> None:
        """Let go of what waits; the source is the caller's to close."""
        ...

    def take(self) -> list[MediaItem]:
        """Take what is decoded already."""
        ...

    def decode(self) -> list[MediaItem]:
        """Take and decode what is not; never waits."""
        ...


def backlog_of(source: Source) -> Backlog:
    """Return what suits the source."""
    return PulledBacklog(source) if isinstance(source, PullSource) else FedBacklog(source)


class PulledBacklog:
    """A source that leaves the decoding to whoever judges: everything waits in it."""

    def __init__(self, source: PullSource) -> None:
        self.source = source

    @property
    def ended(self) -> bool:
        """Whether the source has ended."""
        return self.source.ended

    @property
    def oldest_arrival(self) -> float | None:
        """When what waits longest arrived."""
        return self.source.oldest

    def start(self, wake: Callable[[], None]) -> None:
        """Do nothing: a step pulls what it needs."""

    def stop(self) -> None:
        """Do nothing: the source is closed by the caller."""

    def take(self) -> list[MediaItem]:
        """Take nothing."""
        return []

    def decode(self) -> list[MediaItem]:
        """Decode what waits in the source."""
        return self.source.take(DECODE_FRAMES)


class FedBacklog:
    """A source that decodes by itself: a task takes a batch from it, and more when that is taken."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._items: list[MediaItem] = []
        self._has_room = asyncio.Event()
        self._feeder: asyncio.Task[None] | None = None

    @property
    def ended(self) -> bool:
        """Whether the source has ended and all of it is taken."""
        return self._feeder is not None and self._feeder.done() and not self._items

    @property
    def oldest_arrival(self) -> float | None:
        """None: the items themselves say it."""
        return None

    def start(self, wake: Callable[[], None]) -> None:
        """Begin to take items from the source."""
        self._feeder = asyncio.create_task(self._feed(wake), name="feeder")

    def stop(self) -> None:
        """Take nothing any more and let go of what waits."""
        if self._feeder is not None:
            self._feeder.cancel()
        self._items = []

    def take(self) -> list[MediaItem]:
        """Take the batch and make room for the next."""
        items, self._items = self._items, []
        self._has_room.set()
        return items

    def decode(self) -> list[MediaItem]:
        """Decode nothing: the source has."""
        return []

    async def _feed(self, wake: Callable[[], None]) -> None:
        try:
            async for item in self._source:
                while len(self._items) >= BATCH_ITEMS:
                    wake()
                    self._has_room.clear()
                    await self._has_room.wait()
                self._items.append(item)
        except Exception:
            structlog.stdlib.get_logger("participant").exception("a source failed; its participant leaves")
        finally:
            wake()
