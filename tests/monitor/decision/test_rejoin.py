from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.decision.decide import Decision, DecisionConfig, DecisionState, Transition, advance, initial
from monitor.decision.rejoin import Join, joined, linked, reclaimed, resumed, returned, under
from monitor.types import Reason, Score, Verdict

CONFIG = DecisionConfig()
LIPS, FACE = Reason.LIPS_DISAGREE_WITH_VOICE, Reason.IDENTITY_MISMATCH
# Hops until a window that was begun anew has two seconds of speech.
WARM_UP = 4
DUB = 0.02


def lips(p: float | None, reason: Reason | None = None) -> Score:
    value = None if p is None else -0.1
    return Score("synchrony", value, reason, p_value=p, one_sided=True, cause=LIPS)


def face(p: float) -> Score:
    return Score("pairwise", 3.0, p_value=p, cause=FACE, needs_identity=True)


WARMING = lips(None, Reason.WARMING_UP)


def publication(state: DecisionState, hops: Sequence[Sequence[Score]]) -> tuple[DecisionState, list[Decision]]:
    """What is decided in one publication, on the time line that its session goes on with."""
    began, decisions = state.time or 0.0, []
    for n, scores in enumerate(hops):
        state, decision = advance(state, began + 0.5 * (n + 1), scores)
        decisions.append(decision)
    return state, decisions


def in_pieces(p: float, pieces: int, hops: int) -> list[Decision]:
    state, decisions = initial(CONFIG), list[Decision]()
    for _ in range(pieces):
        state, said = publication(resumed(state), [[WARMING]] * WARM_UP + [[lips(p)]] * (hops - WARM_UP))
        decisions += said
    return decisions


def alerted_after(decisions: Sequence[Decision]) -> int | None:
    """Judged hops up to the one at which a finding opens."""
    judged = [d for d in decisions if d.scores[0].p_value is not None]
    return next((n for n, d in enumerate(judged) if d.transition is Transition.OPENED), None)


def test_a_dub_in_pieces_of_20_seconds_alerts_on_as_much_judged_media_as_in_one() -> None:
    whole, pieces = alerted_after(in_pieces(DUB, 1, 120)), alerted_after(in_pieces(DUB, 3, 40))
    assert whole is not None
    assert pieces == whole
    # Each piece alone, as if nothing were known of those before it, never alerts.
    _, alone = publication(initial(CONFIG), [[WARMING]] * WARM_UP + [[lips(DUB)]] * 36)
    assert alerted_after(alone) is None


@given(
    st.lists(st.floats(0.001, 1.0), min_size=1, max_size=60),
    st.lists(st.integers(0, 60), max_size=6),
)
def test_leaving_neither_adds_evidence_nor_takes_any(p_values: list[float], cuts: list[int]) -> None:
    """A genuine person who rejoins is accused exactly as rarely as one who stays."""
    whole, _ = publication(initial(CONFIG), [[lips(p)] for p in p_values])
    state = initial(CONFIG)
    for begin, end in pairwise(sorted({0, len(p_values), *(cut for cut in cuts if cut < len(p_values))})):
        state, _ = publication(resumed(state), [[lips(p)] for p in p_values[begin:end]])
    assert state.running.windows.phases == whole.running.windows.phases
    assert state.unclaimed.windows.phases == whole.unclaimed.windows.phases
    assert (state.recovery is None) == (whole.recovery is None)
    assert state.judged == pytest.approx(0.5 * len(p_values), abs=0.5)


def test_a_window_that_holds_what_is_left_of_the_last_one_is_judged_in_the_turn_of_the_next() -> None:
    """Of the phase whose turn it is the newest window is a window old: nothing is judged twice in it."""
    state, _ = publication(initial(CONFIG), [[lips(DUB)]] * 23)
    turn = state.running.windows.judged.index(min(state.running.windows.judged))
    after, _ = publication(resumed(state), [[lips(DUB)]])
    changed = [n for n in range(10) if after.running.windows.phases[n] != state.running.windows.phases[n]]
    assert changed == [turn]
    assert after.running.windows.judged[turn] == state.running.windows.judged[turn] + CONFIG.window_seconds


def opened() -> DecisionState:
    state, decisions = publication(resumed(initial(CONFIG)), [[lips(DUB)]] * 120)
    assert Transition.OPENED in {d.transition for d in decisions}
    assert state.recovery is not None
    return state


def test_an_open_finding_goes_on_and_says_so_with_the_first_media_that_are_judged() -> None:
    left, _ = publication(opened(), [[WARMING]] * 110)
    assert left.abstained == 55.0
    _, decisions = publication(resumed(left), [[WARMING]] * 20 + [[lips(DUB)]])
    assert {d.verdict for d in decisions} == {Verdict.ALERT}
    assert [d.transition for d in decisions] == [None] * 20 + [Transition.UPDATED]


def test_under_another_claim_what_needs_no_identity_stays_and_opens_on_judged_media_only() -> None:
    claimed, _ = publication(resumed(initial(CONFIG)), [[lips(DUB), face(1e-3)]] * 120)
    assert claimed.blame is FACE
    other = reclaimed(claimed)
    assert (other.running, other.recovery, other.blame, other.judged) == (claimed.unclaimed, None, LIPS, claimed.judged)
    assert other.running.statistic >= CONFIG.threshold
    _, decisions = publication(resumed(other), [[WARMING, WARMING]] * 4 + [[lips(0.5)]])
    assert [d.transition for d in decisions] == [None] * 4 + [Transition.OPENED]
    assert [d.verdict for d in decisions] == [Verdict.SUSPECT] * 4 + [Verdict.ALERT]
    assert (decisions[0].reason, decisions[-1].finding_reason) == (LIPS, LIPS)


def test_under_another_claim_what_compared_with_the_reference_says_nothing() -> None:
    claimed, _ = publication(resumed(initial(CONFIG)), [[WARMING, face(1e-3)]] * 120)
    assert claimed.running.statistic > CONFIG.suspect_level
    other = reclaimed(claimed)
    assert (other.running.statistic, other.blame) == (0.0, None)


def test_who_takes_up_a_claim_again_has_the_stronger_evidence_of_both() -> None:
    ada, _ = publication(resumed(initial(CONFIG)), [[lips(0.5), face(1e-3)]] * 20)
    bob, _ = publication(resumed(reclaimed(ada)), [[lips(DUB)]] * 60)
    again = returned(ada, bob)
    assert again.running.windows.phases == tuple(map(max, ada.running.windows.phases, bob.unclaimed.windows.phases))
    assert again.running.statistic > ada.running.statistic
    assert (again.unclaimed, again.time, again.judged, again.blame) == (bob.unclaimed, bob.time, bob.judged, LIPS)
    # A short stay under another claim takes nothing away.
    brief, _ = publication(resumed(reclaimed(ada)), [[lips(0.9)]])
    assert returned(ada, brief).running.windows.phases >= ada.running.windows.phases
    assert returned(ada, brief).blame is FACE


def test_somebody_who_comes_and_goes_is_rejoining_until_a_minute_was_judged() -> None:
    joins = tuple(Join(at, judged) for at, judged in ((0.0, 0.0), (20.0, 8.0), (40.0, 16.0)))
    before = replace(initial(CONFIG), judged=16.0)
    assert joined(before, joins[1:], 40.0, 600.0).settled_at == 0.0
    assert joined(before, joins, 600.5, 600.0).settled_at == 0.0
    state = joined(before, joins, 40.0, 600.0)
    said = [[WARMING], [lips(0.5)], [lips(None, Reason.SILENCE)], [lips(None, Reason.NO_FACE)]]
    _, decisions = publication(resumed(state), said)
    assert [d.reason for d in decisions] == [Reason.REJOINING, Reason.REJOINING, Reason.SILENCE, Reason.NO_FACE]
    assert {d.verdict for d in decisions} == {Verdict.INCONCLUSIVE}
    _, decisions = publication(resumed(state), [[lips(0.5)]] * 100)
    reasons = [d.reason for d in decisions]
    assert reasons == [Reason.REJOINING] * 87 + [Reason.NOT_ENROLLED] * 13


def test_rejoining_never_accuses_and_clears_nobody_less() -> None:
    state = replace(initial(CONFIG), settled_at=60.0)
    _, decisions = publication(resumed(state), [[lips(0.5), replace(face(0.5), one_sided=False)], [lips(0.5)]])
    assert [d.verdict for d in decisions] == [Verdict.BONA_FIDE, Verdict.INCONCLUSIVE]
    assert [d.transition for d in decisions] == [None, None]


def test_the_same_face_under_another_name_goes_on_with_a_twentieth_of_the_threshold_at_most() -> None:
    before, _ = publication(initial(CONFIG), [[lips(DUB), face(1e-3)]] * 80)
    assert before.unclaimed.statistic > CONFIG.threshold / 20
    now, _ = publication(initial(CONFIG), [[lips(0.5)]] * 8)
    other = linked(now, before, same_claim=False)
    assert other.running.statistic == pytest.approx(CONFIG.threshold / 20)
    assert (other.blame, other.unclaimed_blame) == (LIPS, LIPS)
    assert other.running.windows.judged == now.running.windows.judged
    assert other.judged == now.judged + before.judged
    assert other.recovery is None
    # More of the dub alerts, and somebody genuine who is taken for their double does not.
    _, decisions = publication(other, [[lips(DUB)]] * 40)
    assert Transition.OPENED in {d.transition for d in decisions}
    _, decisions = publication(other, [[lips(0.5)]] * 400)
    assert Transition.OPENED not in {d.transition for d in decisions}
    assert {d.verdict for d in decisions} == {Verdict.SUSPECT, Verdict.INCONCLUSIVE}
    assert decisions[-1].statistic < 2 * CONFIG.suspect_level


def test_weak_evidence_of_before_takes_nothing_from_what_is_found_now() -> None:
    before, _ = publication(initial(CONFIG), [[lips(0.9), face(1e-3)]] * 40)
    now, _ = publication(initial(CONFIG), [[lips(DUB)]] * 40)
    assert linked(now, before, same_claim=False).running == now.running
    assert linked(now, before, same_claim=False).blame is LIPS
    # The same claim again: what was compared with its reference counts too.
    same = linked(now, before, same_claim=True)
    assert same.running.statistic > now.running.statistic
    assert same.blame is FACE


def test_the_same_configuration_changes_nothing() -> None:
    state, _ = publication(initial(CONFIG), [[lips(DUB)]] * 20)
    assert under(state, CONFIG) is state


@pytest.mark.parametrize("rate", [0.01, 10.0])
def test_another_rate_keeps_the_evidence_and_moves_the_threshold(rate: float) -> None:
    state, _ = publication(initial(CONFIG), [[lips(DUB)]] * 20)
    after = under(state, replace(CONFIG, false_alerts_per_hour=rate))
    assert after.running.statistic == pytest.approx(state.running.statistic)
    assert after.unclaimed.statistic == pytest.approx(state.unclaimed.statistic)
    assert after.config.false_alerts_per_hour == rate
    _, (decision,) = publication(after, [[lips(DUB)]])
    assert decision.threshold == after.config.threshold


@pytest.mark.parametrize("window", [5.0, 10.0])
def test_windows_of_another_length_begin_with_as_much_of_the_threshold(window: float) -> None:
    before = replace(CONFIG, window_seconds=15.0 - window)
    state, _ = publication(initial(before), [[lips(0.3)]] * 60)
    after = under(state, replace(before, window_seconds=window))
    assert len(after.running.windows.phases) == round(window / 0.5)
    assert after.running.statistic / after.config.threshold == pytest.approx(
        state.running.statistic / state.config.threshold
    )
    state, decisions = publication(after, [[lips(DUB)]] * 200)
    assert alerted_after(decisions) is not None


def test_a_finding_that_is_open_stays_open_under_another_configuration() -> None:
    state, decisions = publication(initial(CONFIG), [[lips(0.001)]] * 200)
    assert alerted_after(decisions) is not None
    for config in (replace(CONFIG, false_alerts_per_hour=1.0), replace(CONFIG, window_seconds=10.0)):
        after = under(state, config)
        assert after.recovery is not None
        _, (decision, *_) = publication(after, [[lips(0.001)]])
        assert decision.verdict is Verdict.ALERT


def test_whoever_left_under_other_terms_is_linked_and_taken_up_again() -> None:
    long = replace(CONFIG, window_seconds=10.0)
    state, before = initial(CONFIG), publication(initial(long), [[lips(DUB)]] * 100)[0]
    assert linked(state, before, same_claim=False).running.statistic > 0.0
    assert returned(state, before).running.statistic > 0.0
