"""Which host is let go and begun anew, and when the next one may be. Pure.

The invariants: at most one host is away for this at a time; none is let go while another does not judge, whatever the
reason; a host that does not come back ends it, so that what keeps it from judging keeps no second one from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

# How long those who are judged on a host have to be let go in order; then it is ended as it is.
DRAIN_SECONDS = 30.0
# How long it may take to judge again, and how long those who wait do so for others that do not judge.
BEGIN_SECONDS = 120.0
# How long those who were moved are waited for: whoever publishes again is to find the host that was begun anew.
SETTLE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class HostLook:
    """One host as it is now; `starts` is how often it has been begun."""

    number: int
    ready: bool
    starts: int


@dataclass(frozen=True, slots=True)
class Turn:
    """The host whose turn it is, since `began`; `starts` is how often it had been begun then, `back` when it was."""

    number: int
    began: float
    starts: int
    back: float | None = None


@dataclass(frozen=True, slots=True)
class Rolling:
    """Those who wait, in their order, `since` when the first of them does; whose turn it is, and who is done.

    `why` says, for a person, why it was given up; None where it was not.
    """

    waiting: tuple[int, ...] = ()
    turn: Turn | None = None
    done: tuple[int, ...] = ()
    since: float = 0.0
    why: str | None = None

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        return self.turn is None and not self.waiting

    @property
    def stale(self) -> frozenset[int]:
        """The hosts that are still to be begun anew: whoever is placed on one would be moved again."""
        return frozenset(self.waiting)

    def ask(self, numbers: Iterable[int], now: float) -> Rolling:
        """Have these let go and begun anew, too, each once."""
        turn = None if self.turn is None else self.turn.number
        more = tuple(n for n in dict.fromkeys(numbers) if n not in self.waiting and n != turn)
        if self.over:
            return Rolling(more, since=now)
        return replace(self, waiting=self.waiting + more)

    def look(self, now: float, hosts: Sequence[HostLook], missing: int) -> tuple[Rolling, int | None]:
        """Look at how it goes, at `now`; also give the number of the host that is to be let go now, if any.

        `missing` is how many of those who were moved last are not judged again yet.
        """
        if self.turn is not None:
            host = next(one for one in hosts if one.number == self.turn.number)
            return self._going_on(now, self.turn, host, missing), None
        if not self.waiting:
            return self, None
        away = next((one.number for one in hosts if not one.ready), None)
        if away is None:
            first = next(one for one in hosts if one.number == self.waiting[0])
            return replace(self, waiting=self.waiting[1:], turn=Turn(first.number, now, first.starts)), first.number
        if now - self.since <= BEGIN_SECONDS:
            return self, None
        return self._given_up(f"host {away} does not judge, and no other is let go until it does: see its log"), None

    def _going_on(self, now: float, turn: Turn, host: HostLook, missing: int) -> Rolling:
        if turn.back is None:
            if host.ready and host.starts > turn.starts:
                return replace(self, turn=replace(turn, back=now))
            if now - turn.began <= DRAIN_SECONDS + BEGIN_SECONDS:
                return self
            return self._given_up(f"host {turn.number} has not come back: see its log, and ask again once it judges")
        if self.waiting and missing and now - turn.back < SETTLE_SECONDS:
            return self
        return replace(self, turn=None, done=(*self.done, turn.number), since=now)

    def _given_up(self, why: str) -> Rolling:
        return replace(self, waiting=(), turn=None, why=why)
