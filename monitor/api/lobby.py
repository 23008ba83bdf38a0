"""Who may wait, and how many requests of callers who have shown no token are in progress. Pure.

Waiting costs nothing and is bounded all the same: when too many wait, whoever has waited longest is shown out, so that
somebody who comes and speaks at once is served however many are silent. Work in progress is not interrupted: there the
one who comes last is refused.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Who = TypeVar("Who", bound=Hashable)


class Lobby(Generic[Who]):
    """Those who wait: at most `places` of them, and at most `per_address` of one address."""

    def __init__(self, places: int, per_address: int) -> None:
        self._places = places
        self._per_address = per_address
        # Dictionaries for their order: who came first stands first.
        self._waiting: dict[Who, str | None] = {}
        self._by_address: dict[str, dict[Who, None]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, who: Who, address: str | None) -> Who | None:
        """Let somebody in, as the newest; returns who is to be shown out for them and is in the lobby no more.

        `address` is None where it says nothing of who they are, as behind a proxy.
        """
        self.leave(who)
        shown_out: Who | None = None
        theirs = self._by_address.get(address, {}) if address is not None else {}
        if len(theirs) >= self._per_address:
            shown_out = next(iter(theirs))
        elif len(self._waiting) >= self._places:
            shown_out = next(iter(self._waiting))
        if shown_out is not None:
            self.leave(shown_out)
        self._waiting[who] = address
        if address is not None:
            self._by_address.setdefault(address, {})[who] = None
        return shown_out

    def leave(self, who: Who) -> bool:
        """Let somebody go; whether they waited."""
        if who not in self._waiting:
            return False
        address = self._waiting.pop(who)
        if address is not None:
            theirs = self._by_address[address]
            del theirs[who]
            if not theirs:
                del self._by_address[address]
        return True


class InProgress:
    """Counts requests in progress: at most `places` together, and at most `per_address` of one address."""

    def __init__(self, places: int, per_address: int) -> None:
        self._places = places
        self._per_address = per_address
        self._counts: dict[str | None, int] = {}
        self._total = 0

    def __len__(self) -> int:
        return self._total

    def is_crowded(self, address: str | None) -> bool:
        """Whether one address has as many as it may; never where it says nothing of who they are."""
        return address is not None and self._counts.get(address, 0) >= self._per_address

    @property
    def is_full(self) -> bool:
        """Whether there is no room for anybody."""
        return self._total >= self._places

    def begin(self, address: str | None) -> None:
        """Count one more."""
        self._counts[address] = self._counts.get(address, 0) + 1
        self._total += 1

    def end(self, address: str | None) -> None:
        """Count one less; `address` as it was when it began."""
        left = self._counts[address] - 1
        self._total -= 1
        if left:
            self._counts[address] = left
        else:
            del self._counts[address]
