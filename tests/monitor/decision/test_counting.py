"""Only some detectors count: the others are shown and change nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.decision.decide import Decision, DecisionConfig, advance, initial, judge_clip
from monitor.types import Reason, Score, Verdict

LIPS = DecisionConfig(detectors=frozenset({"synchrony"}))


def score(detector: str, p_value: float | None) -> Score:
    reason = None if p_value is not None else Reason.SILENCE
    return Score(detector, None if p_value is None else 1.0, reason, p_value, cause=Reason.IDENTITY_MISMATCH)


def play(config: DecisionConfig, hops: list[list[Score]]) -> list[Decision]:
    state, decisions = initial(config), []
    for number, scores in enumerate(hops):
        state, decision = advance(state, 0.5 * (number + 1), scores)
        decisions.append(decision)
    return decisions


@given(st.lists(st.tuples(st.floats(0.001, 1.0), st.floats(0.001, 1.0)), min_size=1, max_size=40))
def test_what_does_not_count_changes_nothing_and_is_shown(values: list[tuple[float, float]]) -> None:
    both = play(LIPS, [[score("synchrony", a), score("pairwise", b)] for a, b in values])
    alone = play(LIPS, [[score("synchrony", a)] for a, _ in values])
    said = [(one.verdict, one.reason, one.statistic, one.transition) for one in both]
    assert said == [(one.verdict, one.reason, one.statistic, one.transition) for one in alone]
    assert [len(one.scores) for one in both] == [2] * len(values)


def test_where_none_that_counts_is_there_nothing_can_be_said() -> None:
    (decision,) = play(LIPS, [[score("pairwise", 0.9)]])
    assert (decision.verdict, decision.reason) == (Verdict.INCONCLUSIVE, Reason.NOT_CALIBRATED)
    (decision,) = play(LIPS, [[score("synchrony", None), score("pairwise", 0.9)]])
    assert (decision.verdict, decision.reason) == (Verdict.INCONCLUSIVE, Reason.SILENCE)


def test_a_clip_is_judged_by_those_that_count() -> None:
    scores = [score("synchrony", 0.9), score("pairwise", 0.0001)]
    assert judge_clip(LIPS, scores, Verdict.INCONCLUSIVE)[0] is Verdict.BONA_FIDE
    assert judge_clip(DecisionConfig(), scores, Verdict.INCONCLUSIVE)[0] is Verdict.SUSPECT
