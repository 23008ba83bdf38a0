"""Virtual time: an event loop whose clock jumps to the next timer, workers who take as long as they are told to, and
cameras on that clock. Everything else in a test that uses them is the product's own.
"""

from __future__ import annotations

import asyncio
import selectors
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace
from itertools import islice
from typing import Any

from monitor.host.backlog import BATCH_ITEMS
from monitor.tap.clip_time import item_time
from monitor.tap.media.config import TapConfig
from monitor.types import AudioBlock, ClockState, MediaItem, Stamp, TrackFault, VideoFrame


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that waits for nobody but threads."""

    def __init__(self) -> None:
        self.now = 1000.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self.now


class _Jumping(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout is not None:
            self._loop.now += timeout
        return ready


def run(work: Callable[[], Any]) -> Any:
    """Run a coroutine function in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work())


class VirtualPool(Executor):
    """So many workers in the running loop's time; `cost` says how long a batch of media takes one of them."""

    def __init__(self, workers: int, cost: Callable[[Iterable[MediaItem]], float]) -> None:
        self._cost = cost
        self._idle = workers
        self._jobs: deque[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]] = deque()
        self._loop = asyncio.get_running_loop()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._jobs.append((future, fn, args))
        self._begin()
        return future

    def _begin(self) -> None:
        while self._idle and self._jobs:
            self._idle -= 1
            _, work, args = job = self._jobs.popleft()
            source = getattr(getattr(work, "backlog", None), "source", None)
            taken = source.grant(BATCH_ITEMS) if isinstance(source, Camera) else []
            batch = [item for each in args if isinstance(each, list) for item in each]
            self._loop.call_later(self._cost([*batch, *taken]), self._finish, *job)

    def _finish(self, future: Future[Any], work: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._idle += 1
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(work(*args))
            except Exception as error:
                future.set_exception(error)
        self._begin()


class Camera:
    """A publisher: plays `items` over and over as they were captured, into a backlog like a peer's, from now on."""

    def __init__(self, items: Sequence[VideoFrame | AudioBlock], seconds: float) -> None:
        self.backlog: deque[MediaItem] = deque()
        self.paused = self.ended = False
        self.sent = self.dropped = self._granted = 0
        # Pictures and blocks of sound that may wait.
        self._capacity = round(TapConfig().backlog_seconds * (25 + 1 / 0.03))
        self._items, self._seconds = items, seconds
        self._task = asyncio.create_task(self._play())

    @property
    def oldest(self) -> float | None:
        return item_time(self.backlog[0]) if self.backlog else None

    def grant(self, limit: int) -> list[MediaItem]:
        """Show what the next `take` will give: what is there now, and nothing that comes while it is worked on."""
        self._granted = min(limit, len(self.backlog))
        return list(islice(self.backlog, self._granted))

    def take(self, limit: int) -> list[MediaItem]:
        return [self.backlog.popleft() for _ in range(min(limit, self._granted, len(self.backlog)))]

    def pause(self, paused: bool) -> None:
        self.paused = paused
        self.backlog.clear()

    async def close(self) -> None:
        self._task.cancel()
        self.ended = True

    async def __aiter__(self) -> AsyncIterator[MediaItem]:
        raise AssertionError("whoever judges takes the media")
        yield

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        began, first = loop.time(), self._items[0].stamp.capture
        while True:
            for item in self._items:
                media = item.stamp.capture - first
                await asyncio.sleep(began + media - loop.time())
                if not self.paused:
                    self._put(replace(item, stamp=Stamp(media, began + media, 0.0, ClockState.MAPPED, loop.time())))
            first -= self._seconds

    def _put(self, item: MediaItem) -> None:
        self.sent += 1
        if len(self.backlog) >= self._capacity:
            self.backlog.popleft()
            self.dropped += 1
        self.backlog.append(item)


def seconds_for(picture: float, sound: float) -> Callable[[Iterable[MediaItem]], float]:
    """Give what a batch costs where each picture and each block costs so many seconds."""

    def cost(batch: Iterable[MediaItem]) -> float:
        media = [item for item in batch if not isinstance(item, TrackFault)]
        return sum(picture if isinstance(item, VideoFrame) else sound for item in media)

    return cost
