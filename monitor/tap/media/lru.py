"""A bounded table with least-recently-used eviction, so that a peer cannot make us remember without end. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class LruTable(Generic[Key, Value]):
    """A table of at most `capacity` entries; the least recently used goes first and is passed to `evicted`."""

    def __init__(self, capacity: int, evicted: Callable[[Key], None] | None = None) -> None:
        self._capacity, self._evicted = capacity, evicted
        self.entries: OrderedDict[Key, Value] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        """Look up an entry and mark it used; None where there is none."""
        if key in self.entries:
            self.entries.move_to_end(key)
        return self.entries.get(key)

    def put(self, key: Key, value: Value) -> Value:
        """Add or replace an entry and return it."""
        self.entries[key] = value
        self.entries.move_to_end(key)
        if len(self.entries) > self._capacity:
            oldest, _ = self.entries.popitem(last=False)
            if self._evicted is not None:
                self._evicted(oldest)
        return value
