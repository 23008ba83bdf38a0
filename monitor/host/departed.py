"""Who has left lately, and what was known of them: evidence belongs to a participant, not to a publication.

A pure, bounded memory: nothing of it is written down, and it ends with the process. What is held of one who left goes
on when they join again under the same name in the same call within `seconds`, and is let go of after that. The
invariants: nothing passes from one call, or one name, to another; of an open finding it is always known whether it goes
on, waits, or must be closed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from monitor.alerts.finding import OpenFinding
from monitor.decision.decide import DecisionState
from monitor.decision.rejoin import REJOINING_JOINS, Join, joined, reclaimed, resumed, returned
from monitor.types import ParticipantKey

# Of one call, and of all calls together.
MAX_IN_CALL = 64
MAX_IN_ALL = 1024


@dataclass(frozen=True, slots=True)
class Departed:
    """One who left at `left` seconds, for `reason`, with the state of their decisions and the finding that is open."""

    key: ParticipantKey
    left: float
    reason: str
    state: DecisionState
    finding: OpenFinding | None = None
    joins: tuple[Join, ...] = ()


@dataclass(frozen=True, slots=True)
class Past:
    """What somebody who joins begins with; the state is None for one of whom nothing is known."""

    state: DecisionState | None = None
    finding: OpenFinding | None = None
    joins: tuple[Join, ...] = ()


@dataclass(frozen=True, slots=True)
class Memory:
    """Those who left, the oldest first; for `seconds` each, and nobody at all where that is 0."""

    seconds: float
    departed: tuple[Departed, ...] = ()

    @property
    def expires_at(self) -> float | None:
        """When the oldest is to be let go of; None where nobody is remembered."""
        return self.departed[0].left + self.seconds if self.departed else None

    def put(self, departed: Departed) -> tuple[Memory, tuple[Departed, ...]]:
        """Remember one who left; also give those who had to make room."""
        everybody = (*self.departed, departed)
        in_call = [other for other in everybody if other.key.call == departed.key.call]
        surplus = in_call[:-MAX_IN_CALL] or everybody[:-MAX_IN_ALL]
        return replace(self, departed=tuple(d for d in everybody if d not in surplus)), tuple(surplus)

    def expire(self, now: float) -> tuple[Memory, tuple[Departed, ...]]:
        """Let go of those whose time is over, and give them."""
        over = tuple(d for d in self.departed if now - d.left >= self.seconds)
        return replace(self, departed=self.departed[len(over) :]), over

    def join(self, key: ParticipantKey, now: float) -> tuple[Memory, Past]:
        """Give what is known of one who joins; under another claim they find the evidence that needed no identity.

        Those whose time is over must have been let go of before.
        """
        place = [d for d in self.departed if (d.key.call, d.key.participant) == (key.call, key.participant)]
        same = next((d for d in place if d.key == key), None)
        latest = place[-1] if place else None
        if latest is None:
            return self, Past(joins=(Join(now, 0.0),))
        state = reclaimed(latest.state) if same is None else _continued(same.state, latest.state)
        joins = (*latest.joins, Join(now, state.judged))[-REJOINING_JOINS:]
        memory = replace(self, departed=tuple(d for d in self.departed if d is not same))
        finding = same.finding if same is not None else None
        return memory, Past(joined(resumed(state), joins, now, self.seconds), finding, joins)


def _continued(state: DecisionState, latest: DecisionState) -> DecisionState:
    return state if state is latest else returned(state, latest)
