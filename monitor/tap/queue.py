"""A bounded queue that any thread fills and one coroutine reads: when full, the oldest item goes and is counted."""

from __future__ import annotations

import asyncio
from collections import deque
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class DropOldestQueue(Generic[T]):
    """Thread-safe `put`, single asynchronous reader; `None` from `get` means closed and drained."""

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"a queue of capacity {capacity} holds nothing: give at least 1")
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._lock = Lock()
        self._ready = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Items dropped so far because the reader was too slow."""
        return self._dropped

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Append from any thread; a full queue loses its oldest item, a closed one the new item. Never blocks."""
        with self._lock:
            if self._closed:
                return
            if len(self._items) >= self._capacity:
                self._items.popleft()
                self._dropped += 1
            self._items.append(item)
            wake = len(self._items) == 1
        if wake:
            self._wake()

    def close(self) -> None:
        """Let the reader drain what is left, then tell it so; safe to call twice and from any thread."""
        with self._lock:
            self._closed = True
        self._wake()

    async def get(self) -> T | None:
        """Wait for the oldest item and take it; None once the queue is closed and empty."""
        while True:
            with self._lock:
                if self._items:
                    return self._items.popleft()
                if self._closed:
                    return None
                self._ready.clear()
            await self._ready.wait()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._ready.set)
        except RuntimeError:  # the loop has ended, and with it the reader
            return
