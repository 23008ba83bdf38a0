"""Who has left lately, and what was known of them: evidence belongs to a participant, not to a publication.

A pure, bounded memory: nothing of it is written down, and it ends with the process. What is held of one who left goes
on when they join again under the same name in the same call within `seconds`, and is let go of after that. The
invariants: nothing passes from one call, or one name, to another; of an open finding it is always known whether it goes
on, waits, or must be closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from monitor.alerts.finding import OpenFinding
from monitor.decision.decide import DecisionState
from monitor.decision.rejoin import REJOINING_JOINS, Join, joined, reclaimed, resumed, returned
from monitor.types import FloatArray, ParticipantKey

# Of one call, and of all calls together.
MAX_IN_CALL = 64
MAX_IN_ALL = 1024
# Between identity vectors of unit length, the median of three looks each. Of 69 people 96 % were as near to themselves
# seconds later, and none of 2,346 pairs of them was nearer than 0.39; of single photos one pair in a thousand is nearer
# than 0.378 (docs/encoders.md).
MAX_LINK_DISTANCE = 0.32
# Evidence below this says nothing that would be shed by another name: nobody looks at the face of who leaves with it.
LINKED_STATISTIC = 2.0


@dataclass(frozen=True, slots=True)
class Departed:
    """One who left at `left` seconds, for `reason`, with the state of their decisions and the finding that is open.

    `memories` are what detectors go on with, by name; `face` (N, I) the identity vectors of their looks, None where
    nobody looked.
    """

    key: ParticipantKey
    left: float
    reason: str
    state: DecisionState
    finding: OpenFinding | None = None
    joins: tuple[Join, ...] = ()
    memories: Mapping[str, Any] = field(default_factory=dict)
    face: FloatArray | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Past:
    """What somebody who joins begins with; the state is None for one of whom nothing is known."""

    state: DecisionState | None = None
    finding: OpenFinding | None = None
    joins: tuple[Join, ...] = ()
    memories: Mapping[str, Any] = field(default_factory=dict)


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
        """Remember one who left; also give those who had to make room.

        Of two who wait with one finding, which two gateways remembered, it is the one that is further.
        """
        twins = [one for one in self.departed if _are_one(one, departed)]
        newest = max((*twins, departed), key=_further)
        others = tuple(one for one in self.departed if one not in twins)
        # Of one whom another gateway remembered it may be long ago.
        everybody = tuple(sorted((*others, newest), key=lambda one: one.left))
        in_call = [other for other in everybody if other.key.call == departed.key.call]
        surplus = in_call[:-MAX_IN_CALL] or everybody[:-MAX_IN_ALL]
        return replace(self, departed=tuple(d for d in everybody if d not in surplus)), tuple(surplus)

    def expire(self, now: float) -> tuple[Memory, tuple[Departed, ...]]:
        """Let go of those whose time is over, and give them."""
        over = tuple(d for d in self.departed if now - d.left >= self.seconds)
        return replace(self, departed=self.departed[len(over) :]), over

    def forget(self, call: str) -> tuple[Memory, tuple[Departed, ...]]:
        """Let go of everybody who left a call, and give them."""
        theirs = tuple(d for d in self.departed if d.key.call == call)
        return replace(self, departed=tuple(d for d in self.departed if d not in theirs)), theirs

    def give_up(self, call: str, participant: str) -> tuple[Memory, tuple[Departed, ...]]:
        """Have whoever left under a name remembered elsewhere, and give them: their findings stay open."""
        theirs = tuple(d for d in self.departed if (d.key.call, d.key.participant) == (call, participant))
        return replace(self, departed=tuple(d for d in self.departed if d not in theirs)), theirs

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
        # What the newest publication showed goes on, whatever was claimed in it: time goes on from there as well.
        return memory, Past(joined(resumed(state), joins, now, self.seconds), finding, joins, latest.memories)

    def seeks(self, key: ParticipantKey, since: float) -> bool:
        """Whether somebody has left this call since then under another name, whose face is known."""
        return any(d.left > since for d in self._strangers(key))

    def link(self, key: ParticipantKey, face: FloatArray, since: float) -> tuple[Memory, Departed | None]:
        """Find who left this call since then under another name and has this face (N, I); they are taken out.

        One to one, nobody else is compared with, and the nearest is taken.
        """
        near = [(face_distance(face, d.face), d) for d in self._strangers(key) if d.left > since and d.face is not None]
        distance, same = min(near, key=lambda pair: pair[0], default=(MAX_LINK_DISTANCE, None))
        if same is None or distance > MAX_LINK_DISTANCE:
            return self, None
        return replace(self, departed=tuple(d for d in self.departed if d is not same)), same

    def _strangers(self, key: ParticipantKey) -> list[Departed]:
        others = (d for d in self.departed if d.key.call == key.call and d.key.participant != key.participant)
        return [d for d in others if d.face is not None]


def _are_one(one: Departed, other: Departed) -> bool:
    if one.finding is None or other.finding is None:
        return False
    return (one.key, one.finding.id) == (other.key, other.finding.id)


def _further(departed: Departed) -> tuple[int, float]:
    return departed.finding.step if departed.finding is not None else 0, departed.left


def face_distance(face: FloatArray, other: FloatArray) -> float:
    """Median distance of two people's looks (N, I), 0 for one look twice and 2 at the most."""
    return float(np.median(np.linalg.norm(face[:, None, :] - other[None, :, :], axis=2)))


def _continued(state: DecisionState, latest: DecisionState) -> DecisionState:
    return state if state is latest else returned(state, latest)
