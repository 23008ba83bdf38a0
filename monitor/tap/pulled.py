"""What every peer of ours is once its media are decoded: a backlog that is taken from its head until it is closed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from monitor.tap.media.decode import DecodeLoop
from monitor.types import MediaItem

_BATCH_FRAMES = 16
_POLL_SECONDS = 0.02


class Pulled:
    """The part of a `PullSource` that reads what `decode` has; subclasses fill it, and set `closed` at their end."""

    def __init__(self, decode: DecodeLoop) -> None:
        self.closed = asyncio.Event()
        self._decode = decode

    async def __aiter__(self) -> AsyncIterator[MediaItem]:
        """Yield media and faults until it is closed."""
        while not self.ended:
            items = await asyncio.to_thread(self.take, _BATCH_FRAMES)
            for item in items:
                yield item
            if not items:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.closed.wait(), _POLL_SECONDS)

    def take(self, limit: int) -> list[MediaItem]:
        """Decode frames from the head of the backlog; see `PullSource.take`."""
        return self._decode.take(limit)

    @property
    def oldest(self) -> float | None:
        """Arrival of the frame at the head of the backlog; see `PullSource.oldest`."""
        return self._decode.oldest

    @property
    def ended(self) -> bool:
        """Whether nothing will come any more."""
        return self.closed.is_set()
