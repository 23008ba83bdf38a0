"""Evidence that outlives a publication: how a decision goes on when its participant leaves and joins again.

The invariants: what was judged before counts as if the call had never been interrupted, by phase and in the order of
the phases; no media are counted twice in a phase, since time goes on with the windows, which hold either new media only
or, as `monitor.detectors.base.Remembering` allows, what is left of the newest one; leaving takes nothing away and adds
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from monitor.decision.decide import DecisionConfig, DecisionState, initial

# Joins within the time for which evidence is kept, after which somebody is `rejoining`.
REJOINING_JOINS = 3
# Of the threshold, with which somebody begins who left under another name and has the same face.
LINKED_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Join:
    """A join at `at` seconds, when `judged` seconds of the participant's media had been judged."""

    at: float
    judged: float


def resumed(state: DecisionState) -> DecisionState:
    """Let time go on where it stood, as if there had been no break: what is left of the last window fills the next.

    What was abstained on before is over. A finding that is open is told of again with the first media that are judged.
    """
    return replace(state, time=state.time or 0.0, abstained=0.0, since_report=state.config.update_seconds)


def under(state: DecisionState, config: DecisionConfig) -> DecisionState:
    """Go on under another configuration: of whom somebody else is claimed, something else may be asked.

    Where the windows are of another length, every phase begins with the mean of those before, counted in windows of the
    new length: as much of the threshold is reached as before, at one rate of false alerts.
    """
    if state.config == config:
        return state
    fresh, before = initial(config), state.config
    if (before.window_seconds, before.hop_seconds, before.brief_seconds) == (
        config.window_seconds,
        config.hop_seconds,
        config.brief_seconds,
    ):
        cap = fresh.running.windows.cap
        running, unclaimed = state.running.capped(cap), state.unclaimed.capped(cap)
    else:
        scale = before.window_seconds / config.window_seconds
        running = fresh.running.raised(state.running.statistic * scale)
        unclaimed = fresh.unclaimed.raised(state.unclaimed.statistic * scale)
    level = (config.threshold * config.suspect_level) ** 0.5
    recovery = None if state.recovery is None else running.capped(level)
    return replace(state, config=config, running=running, unclaimed=unclaimed, recovery=recovery)


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
        entered=before.entered,
    )


def returned(state: DecisionState, latest: DecisionState) -> DecisionState:
    """Take up the evidence of a claim again, after other claims were made: `latest` is the state of the last of them.

    Each phase goes on from the higher of the two statistics, so that alternating between claims sheds nothing. The
    price is paid by whoever changes their claim: each change may add one false alert rate to theirs, because the
    highest of several tests crosses a threshold as soon as one of them does.
    """
    latest = under(latest, state.config)
    stronger = latest.unclaimed.statistic > state.running.statistic
    return replace(
        state,
        running=state.running.higher(latest.unclaimed),
        unclaimed=latest.unclaimed,
        blame=(latest.unclaimed_blame if stronger else state.blame) or state.blame,
        unclaimed_blame=latest.unclaimed_blame,
        time=latest.time,
        judged=latest.judged,
    )


def linked(state: DecisionState, before: DecisionState, same_claim: bool) -> DecisionState:
    """Take up the evidence of one who left under another name and has the same face: `state` is that under this name.

    What was compared with a reference goes along only where the same identity is claimed. No phase goes on from more
    than `LINKED_SHARE` of the threshold, for a face may be somebody's double: whoever is taken for one who left crosses
    the threshold, while genuine, with at most this probability.
    """
    before = under(before, state.config)
    cap = LINKED_SHARE * state.config.threshold
    earlier = before.running if same_claim else before.unclaimed
    stronger = earlier.statistic > state.running.statistic
    blame = before.blame if same_claim else before.unclaimed_blame
    return replace(
        state,
        running=state.running.higher(earlier.lowered(cap)),
        unclaimed=state.unclaimed.higher(before.unclaimed.lowered(cap)),
        blame=(blame if stronger else state.blame) or state.blame,
        unclaimed_blame=state.unclaimed_blame or before.unclaimed_blame,
        judged=state.judged + before.judged,
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
