"""Evidence that outlives a publication: how a decision goes on when its participant leaves and joins again.

The invariants: what was judged before counts as if the call had never been interrupted, by phase and in the order of
the phases; no window from before keeps one of the new publication from being judged, and none is counted twice, since a
new publication begins with an empty window; leaving takes nothing away and adds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from monitor.decision.decide import DecisionState, initial
from monitor.decision.edetector import EDetector

# Joins within the time for which evidence is kept, after which somebody is `rejoining`.
REJOINING_JOINS = 3


@dataclass(frozen=True, slots=True)
class Join:
    """A join at `at` seconds, when `judged` seconds of the participant's media had been judged."""

    at: float
    judged: float


def resumed(state: DecisionState) -> DecisionState:
    """Let time go on behind every window from before, so that the first new window finds its phase free.

    What was abstained on before is over. A finding that is open is told of again with the first media that are judged.
    """
    time = (state.time or 0.0) + state.config.window_seconds
    return replace(state, time=time, abstained=0.0, since_report=state.config.update_seconds)


def reclaimed(before: DecisionState) -> DecisionState:
    """Take the evidence of somebody who now claims another identity, or none: that which needed no identity."""
    return replace(
        initial(before.config),
        running=before.unclaimed,
        unclaimed=before.unclaimed,
        blame=before.unclaimed_blame,
        unclaimed_blame=before.unclaimed_blame,
        time=before.time,
        judged=before.judged,
    )


def returned(state: DecisionState, latest: DecisionState) -> DecisionState:
    """Take up the evidence of a claim again, after other claims were made: `latest` is the state of the last of them.

    Each phase goes on from the higher of the two statistics, so that alternating between claims sheds nothing. The
    price is paid by whoever changes their claim: each change may add one false alert rate to theirs, because the
    highest of several tests crosses a threshold as soon as one of them does.
    """
    stronger = latest.unclaimed.statistic > state.running.statistic
    return replace(
        state,
        running=_higher(state.running, latest.unclaimed),
        unclaimed=latest.unclaimed,
        blame=(latest.unclaimed_blame if stronger else state.blame) or state.blame,
        unclaimed_blame=latest.unclaimed_blame,
        time=latest.time,
        judged=latest.judged,
    )


def joined(state: DecisionState, joins: tuple[Join, ...], now: float, within_seconds: float) -> DecisionState:
    """Say until which judged media somebody is `rejoining`, who joined at each of `joins`, the newest last.

    That is one who joined `REJOINING_JOINS` times within `within_seconds`, until as much was judged since the first of
    these as a participant's first minute asks for.
    """
    earliest = joins[-REJOINING_JOINS] if len(joins) >= REJOINING_JOINS else None
    if earliest is None or now - earliest.at > within_seconds:
        return replace(state, settled_at=0.0)
    return replace(state, settled_at=earliest.judged + state.config.first_seconds)


def _higher(one: EDetector, other: EDetector) -> EDetector:
    return replace(one, phases=tuple(map(max, one.phases, other.phases)))
