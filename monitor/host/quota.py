"""How many places one subject may hold, so that whoever has a token cannot keep everybody else out. Pure.

A subject is whoever a token was made for. All who publish with a token that the server has by itself may
hold every place unless the settings say otherwise; any other subject may leave only half of them unconnected: an offer
costs nothing, and holds a place for as long as its publisher may take to connect.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# The subjects of the tokens that the server has by itself: whoever has one is the operator.
SERVER_SUBJECTS = frozenset({"startup", "operator"})


@dataclass(frozen=True, slots=True)
class Holding:
    """One place that is held: by whom, and whether its publisher has yet to connect."""

    subject: str
    connecting: bool


@dataclass(frozen=True, slots=True)
class Quota:
    """Of `capacity` places, what a subject may hold; None for what the settings leave open."""

    capacity: int
    places: int | None = None
    connecting: int | None = None

    def refusal(self, subject: str, held: Iterable[Holding]) -> str | None:
        """Say why a subject gets no place beside those that are held; None where it gets one."""
        own = [holding for holding in held if holding.subject == subject]
        if len(own) >= (self.capacity if self.places is None else self.places):
            return "this token has as many participants as it may have"
        if sum(holding.connecting for holding in own) >= self._connecting(subject):
            return "as many participants of this token as may are still connecting"
        return None

    def _connecting(self, subject: str) -> int:
        if self.connecting is not None:
            return self.connecting
        return self.capacity if subject in SERVER_SUBJECTS else (self.capacity + 1) // 2
