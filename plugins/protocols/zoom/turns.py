"""Whom to watch where only one face at a time can be had: turns of at least a decision window each. Pure.

Those who claim to be a protected person come first: each of them has a turn, then one of the others has, so that at
least every second turn is theirs and nobody is left out. Of the others those come first who had no whole turn yet,
whoever speaks before the rest; then whoever speaks; then whoever has waited the longest. The invariant: whoever is
watched stays for the whole turn, unless there is nothing to see of them any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody of whom pictures may be had, and whether they claim to be a protected person."""

    user: int
    claims: bool = False


@dataclass(frozen=True, slots=True)
class Turns:
    """Whose turn it is, since when, and when everybody's last whole turn ended; times are seconds of one clock.

    `served` are those who claim somebody and had a turn since one of the others had.
    """

    dwell_seconds: float
    watched: int | None = None
    since: float = 0.0
    ended: Mapping[int, float] = field(default_factory=dict)
    served: frozenset[int] = frozenset()

    def advance(self, now: float, present: Sequence[Candidate], speaker: int | None) -> Turns:
        """Say whose turn it is now; `present` are those of whom pictures may be had, in the order of joining."""
        here = {one.user: one for one in present}
        is_over = self.due is not None and now >= self.due
        if self.watched in here and not is_over:
            return self
        ended = {user: at for user, at in self.ended.items() if user in here}
        if self.watched in here and self.watched is not None:
            ended[self.watched] = now
        made = replace(self, ended=ended, served=self.served & here.keys())
        chosen = made._choose(list(here.values()), speaker)
        if chosen is None:
            return replace(made, watched=None)
        served = made.served | {chosen.user} if chosen.claims else frozenset()
        return replace(made, watched=chosen.user, since=now, served=served)

    @property
    def due(self) -> float | None:
        """When the turn is over; None where nobody is watched."""
        return None if self.watched is None else self.since + self.dwell_seconds

    def _choose(self, here: list[Candidate], speaker: int | None) -> Candidate | None:
        claims = [one for one in here if one.claims and one.user not in self.served]
        others = [one for one in here if not one.claims]
        # Nobody but those who claim somebody: they take turns among themselves.
        ranked = claims or others or here
        return min(ranked, key=lambda one: self._rank(one, speaker), default=None)

    def _rank(self, one: Candidate, speaker: int | None) -> tuple[bool, bool, float]:
        return one.user in self.ended, one.user != speaker, self.ended.get(one.user, 0.0)
