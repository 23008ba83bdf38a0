"""A voice that becomes another's in mid-call while the face stays, and a face that does while the voice stays.

Pure. Each detector that looks at a face or a voice says whether it is still that of this call's own start
(`Score.changed`); what one says while the other stays is kept with its time. It is shown and is no bet: nobody has
measured how often it happens to genuine people, who hand over a headset or turn on a light.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from monitor.types import Aspect, Score

# So long one must have changed, and the other stayed, before it is said: more than a window is full of the change then.
HOLD_SECONDS = 3.0
# What was last said of an aspect holds for so long: a voice is compared while it speaks.
RECENT_SECONDS = 6.0
# The newest are kept.
MAX_TURNS = 8
# Of the evidence of the detector that looks at what changed.
SHOWN = "turns"
# p-values of a comparison with this call's start: changed up to the first, as it was above the second.
CHANGED_P_VALUE, STAYED_P_VALUE = 0.02, 0.1


class Turn(StrEnum):
    """What changed in mid-call while the other stayed."""

    VOICE_CHANGES_FACE_STAYS = "voice_changes_face_stays"
    FACE_CHANGES_VOICE_STAYS = "face_changes_voice_stays"


# What changes, and what stays.
_SIDES: Mapping[Turn, tuple[Aspect, Aspect]] = {
    Turn.VOICE_CHANGES_FACE_STAYS: (Aspect.VOICE, Aspect.FACE),
    Turn.FACE_CHANGES_VOICE_STAYS: (Aspect.FACE, Aspect.VOICE),
}


@dataclass(frozen=True, slots=True)
class Turned:
    """A turn, and the stream time (seconds) at which the change was first seen."""

    turn: Turn
    at: float

    def as_json(self) -> dict[str, Any]:
        """Give JSON values."""
        return {"turn": self.turn.value, "at": round(self.at, 1)}


@dataclass(frozen=True, slots=True)
class Turns:
    """What was seen of a call so far.

    `said` is when each aspect was last compared with the call's start, and whether it had changed; `since` from when on
    each turn has been going on, and `told` those of it that were told; `found` are the newest turns.
    """

    said: Mapping[Aspect, tuple[float, bool]] = field(default_factory=dict)
    since: Mapping[Turn, float] = field(default_factory=dict)
    told: frozenset[Turn] = frozenset()
    found: tuple[Turned, ...] = ()


def changed(p_value: float | None) -> bool | None:
    """Say by a p-value of the comparison with the call's start whether something changed; None where it is unclear."""
    if p_value is None or CHANGED_P_VALUE < p_value <= STAYED_P_VALUE:
        return None
    return p_value <= CHANGED_P_VALUE


def follow(turns: Turns, time: float, scores: Iterable[Score]) -> Turns:
    """Take what was said at `time` (seconds of stream)."""
    fresh = {s.aspect: (time, s.changed) for s in scores if s.aspect is not None and s.changed is not None}
    kept = {aspect: one for aspect, one in turns.said.items() if 0.0 <= time - one[0] <= RECENT_SECONDS}
    turns = replace(turns, said={**kept, **fresh})
    for turn in Turn:
        turns = _followed(turns, turn, time)
    return turns


def _followed(turns: Turns, turn: Turn, time: float) -> Turns:
    changes, stays = (turns.said.get(aspect) for aspect in _SIDES[turn])
    if changes is None or stays is None:
        return turns
    since = {which: at for which, at in turns.since.items() if which is not turn}
    if not changes[1] or stays[1]:
        return replace(turns, since=since, told=turns.told - {turn})
    began = turns.since.get(turn, changes[0])
    turns = replace(turns, since={**since, turn: began})
    if time - began < HOLD_SECONDS or turn in turns.told:
        return turns
    found = (*turns.found, Turned(turn, began))[-MAX_TURNS:]
    return replace(turns, told=turns.told | {turn}, found=found)


def with_turns(scores: Sequence[Score], turns: Turns) -> tuple[Score, ...]:
    """Put the turns that were found into the evidence of whoever looks at what changed."""
    if not turns.found:
        return tuple(scores)
    return tuple(_told(score, turns.found) for score in scores)


def _told(score: Score, found: Sequence[Turned]) -> Score:
    own = [one.as_json() for one in found if _SIDES[one.turn][0] is score.aspect]
    return replace(score, evidence={**score.evidence, SHOWN: own}) if own else score
