"""A bounded table: whatever a peer makes us remember, only the most recently used entries stay. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A table of at most `capacity` entries; the least recently used goes first and is told to `evicted`."""

    def __init__(self, capacity: int, evicted: Callable[[K], None] | None = None) -> None:
        self._capacity, self._evicted = capacity, evicted
        self.entries: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Look up an entry and mark it used."""
        if key in self.entries:
            self.entries.move_to_end(key)
        return self.entries.get(key)

    def put(self, key: K, value: V) -> V:
        """Add or replace an entry."""
        self.entries[key] = value
        self.entries.move_to_end(key)
        if len(self.entries) > self._capacity:
            oldest, _ = self.entries.popitem(last=False)
            if self._evicted is not None:
                self._evicted(oldest)
        return value
