"""Virtual time: an event loop whose clock jumps to the next timer, workers who take as long as they are told to, and
cameras on that clock. Everything else in a test that uses them is the product's own.
"""

from __future__ import annotations

import asyncio
import heapq
import selectors
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace
from typing import Any

from monitor.types import AudioBlock, ClockState, MediaItem, Stamp, TrackFault, VideoFrame

CAPACITY = 64


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

    def __init__(self, workers: int, cost: Callable[[Sequence[MediaItem]], float]) -> None:
        self._cost = cost
        self._free = [0.0] * workers
        self._loop = asyncio.get_running_loop()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        batch = next((each for each in args if isinstance(each, list)), [])
        done = max(self._loop.time(), heapq.heappop(self._free)) + self._cost(batch)
        heapq.heappush(self._free, done)
        self._loop.call_at(done, self._finish, future, lambda: fn(*args, **kwargs))
        return future

    def _finish(self, future: Future[Any], work: Callable[[], Any]) -> None:
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(work())
            except Exception as error:
                future.set_exception(error)


class Camera:
    """A publisher: plays `items` over and over as captured, from now on; the oldest of 64 that wait is lost."""

    def __init__(self, items: Sequence[VideoFrame | AudioBlock], seconds: float) -> None:
        self.dropped = 0
        self.paused = False
        self.waiting: deque[MediaItem] = deque()
        self._ready = asyncio.Event()
        self._closed = False
        self.sent = 0
        self._items, self._seconds = items, seconds
        self._task = asyncio.create_task(self._play())

    def pause(self, paused: bool) -> None:
        self.paused = paused

    async def close(self) -> None:
        self._task.cancel()
        self._closed = True
        self._ready.set()

    async def __aiter__(self) -> AsyncIterator[MediaItem]:
        while self.waiting or not self._closed:
            while self.waiting:
                yield self.waiting.popleft()
            if not self._closed:
                self._ready.clear()
                await self._ready.wait()

    def _put(self, item: MediaItem) -> None:
        if len(self.waiting) >= CAPACITY:
            self.waiting.popleft()
            self.dropped += 1
        self.waiting.append(item)
        self._ready.set()

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        began, first = loop.time(), self._items[0].stamp.capture
        while True:
            for item in self._items:
                media = item.stamp.capture - first
                await asyncio.sleep(began + media - loop.time())
                if not self.paused:
                    self._put(replace(item, stamp=Stamp(media, began + media, 0.0, ClockState.MAPPED, loop.time())))
                    self.sent += 1
            first -= self._seconds


def seconds_for(picture: float, sound: float) -> Callable[[Sequence[MediaItem]], float]:
    """Give what a batch costs where each picture and each block costs so many seconds."""

    def cost(batch: Sequence[MediaItem]) -> float:
        media = [item for item in batch if not isinstance(item, TrackFault)]
        return sum(picture if isinstance(item, VideoFrame) else sound for item in media)

    return cost
