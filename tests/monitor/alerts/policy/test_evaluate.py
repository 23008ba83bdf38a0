"""What a policy makes of joins, hops and findings: opened once, closed once, and nobody told half of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alerts.finding import Finding
from monitor.alerts.policy.evaluate import MAX_OPEN_FINDINGS, Ordered, Outcome, PolicyState, drill, found, hop, left
from monitor.alerts.policy.rules import ActionName, Kind
from monitor.types import ParticipantKey
from tests.monitor.alerts.policy.build import JANE, NOON, PLACE, Run, at, change, group, ids, policy_of, told

WATCHED = policy_of(
    group(
        at_suspect={"notify": ["slack"], "actions": ["ask_to_verify"]},
        at_alert={"notify": ["soc"], "actions": ["remove", {"action": "mute", "confirm": False}]},
        unverified_after="1 min",
        at_unverified={"notify": ["slack"]},
        cool_down="5 min",
        quiet_hours={"from": "12:10", "to": "12:20", "zone": "UTC", "alert": ["pager"]},
    ),
    link_base="https://sidewitness.example/",
)
steps = st.lists(
    st.tuples(
        st.floats(0.5, 400.0),
        st.sampled_from(["bona_fide", "suspect", "alert", "inconclusive", "opened", "updated", "closed", "left"]),
    ),
    max_size=30,
)


@settings(max_examples=120, deadline=None)
@given(steps)
def test_episodes_are_opened_once_and_closed_once_and_whoever_is_told_is_told_of_the_end(
    feed: list[tuple[float, str]],
) -> None:
    run, clock, opened, number = Run(WATCHED), 0.0, False, 0
    entries: list[Finding] = []
    orders: list[Ordered] = []
    for pause, word in feed:
        clock += pause
        if word == "left":
            outcome = run.take(left(run.state, PLACE, at(clock), "ended", run.new_id))
        elif word in ("opened", "updated", "closed"):
            if (word == "opened") == opened:
                continue
            number += word == "opened"
            opened = word != "closed"
            outcome = run.take(found(run.state, change(word, clock, f"f{number}"), run.new_id))  # type: ignore[arg-type]
            assert [replace(entry, handling=None) for entry in outcome.entries] == [
                change(word, clock, f"f{number}")  # type: ignore[arg-type]
            ]
        else:
            outcome = run.hop(clock, word, None)
        entries += outcome.entries
        orders += outcome.orders
    outcome = run.take(left(run.state, PLACE, at(clock + 1), "ended", run.new_id))
    check(entries + list(outcome.entries), orders + list(outcome.orders))


def check(entries: list[Finding], orders: list[Ordered]) -> None:
    """Hold the invariants against everything that came."""
    for episode in {entry.id for entry in entries}:
        mine = [entry for entry in entries if entry.id == episode]
        assert mine[0].action == "opened"
        assert [entry.action for entry in mine].count("closed") <= 1
        if mine[0].kind != "finding":
            assert [entry.step for entry in mine] == list(range(len(mine)))
            assert mine[-1].action == "closed"
        sinks = [set(entry.handling["notify"]) for entry in mine if entry.handling is not None]
        assert all(earlier <= later for earlier, later in pairwise(sinks))
        acted = [order.action for order in orders if order.finding == episode]
        assert len(acted) == len(set(acted))
    assert len({order.id for order in orders}) == len(orders)


def test_a_finding_is_told_as_the_group_says_and_its_actions_are_ordered_once() -> None:
    run = Run(WATCHED)
    outcome = run.take(found(run.state, change("opened", 1), run.new_id))
    assert told(outcome) == [["soc"]]
    assert [(order.action, order.confirm, order.dry_run) for order in outcome.orders] == [
        (ActionName.REMOVE, True, False),
        (ActionName.MUTE, False, False),
    ]
    asked, done = outcome.entries[0].handling["actions"]  # type: ignore[index]
    assert asked["link"] == f"https://sidewitness.example/action#f/{outcome.orders[0].id}"
    assert asked["expires"] == "2026-03-02T12:10:01.000Z"
    assert done["expires"] is None
    assert run.take(found(run.state, change("updated", 2, step=1), run.new_id)).orders == ()
    closed = run.take(found(run.state, change("closed", 3, step=2), run.new_id))
    assert (told(closed), closed.orders, run.state.findings) == ([["soc"]], (), {})


def test_the_next_finding_waits_until_it_has_cooled_down() -> None:
    run = Run(WATCHED)
    run.take(found(run.state, change("opened", 0), run.new_id))
    run.take(found(run.state, change("closed", 60, step=1), run.new_id))
    second = run.take(found(run.state, change("opened", 299, "g"), run.new_id))
    assert (told(second), second.orders) == ([[]], ())
    assert second.entries[0].handling["held"] == {"people": "cool_down"}  # type: ignore[index]
    later = run.take(found(run.state, change("updated", 300, "g", step=1), run.new_id))
    assert (told(later), len(later.orders)) == ([["soc"]], 2)


def test_who_is_not_told_while_it_is_quiet_is_told_when_that_is_over() -> None:
    run = Run(WATCHED)
    assert told(run.take(found(run.state, change("opened", 600), run.new_id))) == [["pager"]]
    assert told(run.take(found(run.state, change("updated", 1199, step=1), run.new_id))) == [["pager"]]
    assert told(run.take(found(run.state, change("updated", 1200, step=2), run.new_id))) == [["pager", "soc"]]


def test_a_suspicion_lasts_until_none_came_for_ten_seconds_or_an_alert_takes_its_place() -> None:
    run = Run(WATCHED)
    (opened,) = run.hop(1, "suspect", "identity_mismatch").entries
    assert (opened.kind, opened.action, opened.verdict, opened.reason) == (
        "suspicion", "opened", "suspect", "identity_mismatch",
    )  # fmt: skip
    assert opened.handling is not None
    assert opened.handling["notify"] == ["slack"]
    assert run.hop(2, "bona_fide").entries == ()
    assert run.hop(3, "suspect").entries == ()
    assert run.hop(12.9, "bona_fide").entries == ()
    (closed,) = run.hop(13, "bona_fide").entries
    assert (closed.action, closed.step, closed.id) == ("closed", 1, opened.id)
    assert [entry.action for entry in run.hop(400, "suspect").entries] == ["opened"]
    assert [entry.action for entry in run.hop(401, "alert").entries] == ["closed"]


def test_a_suspicion_that_was_held_back_is_told_once_nothing_holds_it_any_more() -> None:
    run = Run(WATCHED)
    (opened,) = run.hop(600, "suspect").entries
    assert opened.handling is not None
    assert (opened.handling["notify"], opened.handling["held"]) == ([], {"people": "quiet_hours"})
    assert run.hop(1199, "suspect").entries == ()
    (updated,) = run.hop(1200, "suspect").entries
    assert updated.handling is not None
    assert (updated.action, updated.handling["notify"]) == ("updated", ["slack"])
    assert run.hop(1201, "suspect").entries == ()


def test_a_protected_person_without_a_verdict_is_unverified_after_a_while() -> None:
    run = Run(WATCHED)
    run.hop(1, "bona_fide")
    assert run.hop(10, "inconclusive", "no_face").entries == ()
    assert run.hop(69.5, "inconclusive", "no_face").entries == ()
    (opened,) = run.hop(70, "inconclusive", "low_quality").entries
    assert (opened.kind, opened.verdict, opened.reason) == ("unverified", "inconclusive", "low_quality")
    assert run.hop(80, "inconclusive").entries == ()
    assert [entry.action for entry in run.hop(81, "bona_fide").entries] == ["closed"]
    assert run.hop(82, "bona_fide").entries == ()


def test_somebody_who_claims_nobody_is_never_unverified() -> None:
    everybody = policy_of(default={"unverified_after": "10 s"})
    run = Run(everybody, ParticipantKey("board", "alice"))
    assert run.hop(100, "inconclusive", "not_enrolled").entries == ()


def test_without_rules_nothing_is_made_of_anything() -> None:
    run = Run(policy_of())
    assert run.hop(1, "suspect").entries == ()
    assert run.hop(900, "inconclusive").entries == ()
    finding = change("opened", 1)
    assert found(run.state, finding, run.new_id) == Outcome(run.state, (finding,))


def test_whoever_has_not_joined_is_unknown() -> None:
    state = PolicyState(WATCHED)
    assert hop(state, PLACE, "suspect", None, NOON, ids()) == Outcome(state)
    assert left(state, PLACE, NOON, "ended", ids()) == Outcome(state)


def test_a_finding_of_somebody_who_has_left_goes_by_whom_they_claimed_to_be() -> None:
    outcome = found(PolicyState(WATCHED), change("updated", 1), ids())
    assert told(outcome) == [["soc"]]
    run = Run(WATCHED, replace(JANE, identity="Joe"))
    assert told(found(run.state, change("updated", 1), run.new_id)) == [["soc"]]


def test_leaving_closes_what_the_policy_has_opened_and_forgets_what_has_cooled_down() -> None:
    run = Run(WATCHED)
    run.hop(1, "suspect")
    run.hop(2, "inconclusive")
    run.hop(62, "inconclusive")
    assert run.state.done
    outcome = run.take(left(run.state, PLACE, at(63), "ended", run.new_id))
    assert [(entry.kind, entry.action, entry.reason) for entry in outcome.entries] == [
        ("unverified", "closed", "ended")
    ]
    assert PLACE not in run.state.people
    assert run.state.done
    again = Run(WATCHED)
    again.state = replace(again.state, done=run.state.done)
    assert again.take(left(again.state, PLACE, at(900), "ended", again.new_id)).state.done == {}


def test_findings_that_nobody_closes_are_forgotten_in_the_end() -> None:
    run = Run(policy_of(default={"cool_down": 0}))
    for number in range(MAX_OPEN_FINDINGS + 3):
        run.take(found(run.state, change("opened", number, f"f{number}"), run.new_id))
    assert len(run.state.findings) == MAX_OPEN_FINDINGS
    assert "f2" not in run.state.findings


def test_a_drill_is_handled_as_a_finding_is_and_nothing_is_done() -> None:
    (opened, closed), orders = drill(WATCHED, JANE, frozenset(), NOON, ids())
    assert (opened.drill, closed.drill, opened.kind) == (True, True, "finding")
    assert [finding.action for finding in (opened, closed)] == ["opened", "closed"]
    assert opened.handling is not None
    assert opened.handling["notify"] == ["soc"]
    assert all(order.dry_run and order.drill for order in orders)
    assert [order.action for order in orders] == [ActionName.REMOVE, ActionName.MUTE]
    (plain, _), none = drill(policy_of(), ParticipantKey("drill", "drill"), frozenset(), NOON, ids())
    assert plain.handling is not None
    assert (plain.handling["notify"], none) == (None, ())


def test_what_the_journal_holds_of_a_kind_is_handled_as_that_kind() -> None:
    handling: dict[str, Any] = {"kind": "suspicion", "drill": False, "notify": ["x"]}
    outcome = found(PolicyState(WATCHED), replace(change("opened", 1), handling=handling), ids())
    assert told(outcome) == [["slack"]]
    assert outcome.state.findings["f"].kind is Kind.SUSPICION
    assert outcome.orders[0].expires - at(1) == timedelta(minutes=10)
