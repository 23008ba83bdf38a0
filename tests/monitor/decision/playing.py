"""Scores of each kind, and streams of them played through the decision."""

from collections.abc import Iterable, Sequence

from monitor.decision.decide import Decision, DecisionConfig, DecisionState, advance, initial
from monitor.types import Reason, Score

CONFIG = DecisionConfig()
LIPS = Reason.LIPS_DISAGREE_WITH_VOICE


def sync(p: float) -> Score:
    return Score("synchrony", -0.3, p_value=p, one_sided=True, evidence={"best_offset_ms": 40}, cause=LIPS)


def persona(p: float) -> Score:
    return Score("persona", 0.1, p_value=p, cause=Reason.MOVES_UNLIKE_ENROLLED)


def silent(reason: Reason, detector: str = "synchrony", one_sided: bool = True) -> Score:
    return Score(detector, None, reason, one_sided=one_sided)


def play(
    hops: Iterable[Sequence[Score]], state: DecisionState | None = None, time: float = 0.0
) -> tuple[DecisionState, list[Decision]]:
    state = state or initial(CONFIG)
    decisions = []
    for hop, scores in enumerate(hops):
        state, decision = advance(state, time + 0.5 * hop, scores)
        decisions.append(decision)
    return state, decisions
