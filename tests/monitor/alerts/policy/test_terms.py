"""Somebody in several groups: the stricter of what they say, whatever their order."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alerts.policy.rules import Kind, Sinks, Subject, seconds_of
from monitor.alerts.policy.terms import Terms, terms_of
from tests.monitor.alerts.policy.build import NOON, group, policy_of

SINKS = ("soc", "slack", "pager")
names = st.lists(st.sampled_from(SINKS), unique=True, max_size=3)
actions = st.lists(
    st.builds(
        lambda name, confirm: {"action": name, "confirm": confirm},
        st.sampled_from(["mute", "remove", "end_call", "ask_to_verify"]),
        st.booleans(),
    ),
    unique_by=lambda one: one["action"],
    max_size=3,
)
says = st.fixed_dictionaries(
    {
        "at_alert": st.fixed_dictionaries({"notify": names, "actions": actions}),
        "cool_down": st.integers(0, 600),
        "dry_run": st.booleans(),
    },
    optional={
        "false_alerts_per_hour": st.sampled_from([0.05, 0.1, 1.0]),
        "window_seconds": st.sampled_from([5.0, 10.0]),
        "detectors": st.lists(st.sampled_from(["synchrony", "pairwise", "persona"]), unique=True, min_size=1),
        "unverified_after": st.integers(10, 600),
        "quiet_hours": st.just({"from": "11:00", "to": "13:00", "zone": "UTC", "alert": ["pager"]}),
    },
)


def terms(*groups: dict[str, Any]) -> Terms:
    return terms_of(policy_of(*groups), Subject("board", "Jane Doe"))


def groups_of(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [group(f"g{index}", **part) for index, part in enumerate(parts)]


@settings(max_examples=60, deadline=None)
@given(st.lists(says, min_size=1, max_size=3), st.data())
def test_whoever_is_in_several_groups_is_protected_as_much_as_by_each_of_them(
    parts: list[dict[str, Any]], data: st.DataObject
) -> None:
    written = groups_of(parts)
    done = {
        one["name"]: NOON - timedelta(seconds=data.draw(st.integers(1, 900)))
        for one in written
        if data.draw(st.booleans())
    }
    together = terms(*written)
    whole = together.due(Kind.FINDING, NOON, done)
    for one in written:
        alone = terms(one)
        due = alone.due(Kind.FINDING, NOON, done)
        assert whole.notify.covers(due.notify)
        mine, theirs = ({order.action: order for order in each.orders} for each in (due, whole))
        assert set(mine) <= set(theirs)
        assert all(order.dry_run or not theirs[name].dry_run for name, order in mine.items())
        # An action that a real group wants confirmed is never done without.
        assert all(theirs[name].confirm for name, order in mine.items() if order.confirm and not order.dry_run)
        for value, of_all, stricter in (
            (alone.false_alerts_per_hour, together.false_alerts_per_hour, max),
            (alone.window_seconds, together.window_seconds, min),
            (alone.unverified_after_seconds, together.unverified_after_seconds, min),
        ):
            assert value is None or (of_all is not None and stricter(value, of_all) == of_all)
        assert together.detectors is None or (alone.detectors is not None and alone.detectors <= together.detectors)


@settings(max_examples=40, deadline=None)
@given(st.lists(says, min_size=2, max_size=3))
def test_the_order_of_groups_changes_nothing(parts: list[dict[str, Any]]) -> None:
    written = groups_of(parts)
    seen = set()
    for order in permutations(written):
        found = terms(*order)
        due = found.due(Kind.FINDING, NOON, {})
        seen.add(
            (
                found.false_alerts_per_hour,
                found.window_seconds,
                found.detectors,
                due.notify,
                frozenset(due.orders),
                due.dry_run,
            )
        )
    assert len(seen) == 1


def test_a_group_that_cools_down_holds_back_its_own_only() -> None:
    both = terms(
        group("one", cool_down="10 min", at_alert={"notify": ["soc"], "actions": ["mute"]}),
        group("two", at_alert={"notify": ["slack"]}),
    )
    due = both.due(Kind.FINDING, NOON, {"one": NOON - timedelta(minutes=9), "two": NOON})
    assert (due.notify, due.orders, due.held) == (Sinks(frozenset({"slack"})), (), {"one": "cool_down"})
    due = both.due(Kind.FINDING, NOON, {"one": NOON - timedelta(minutes=10)})
    assert due.notify == Sinks(frozenset({"soc", "slack"}))
    assert due.held == {}


def test_what_is_quiet_is_told_to_fewer_and_suspicions_to_nobody() -> None:
    quiet = {"from": "11:00", "to": "13:00", "zone": "UTC", "alert": ["pager"]}
    one = terms(group(quiet_hours=quiet, at_suspect={"notify": ["soc"]}, at_alert={"notify": ["soc", "pager"]}))
    due = one.due(Kind.FINDING, NOON, {})
    assert (due.notify.listed(), due.held) == (["pager"], {"people": "quiet_hours"})
    assert one.due(Kind.SUSPICION, NOON, {}).notify == Sinks()
    assert one.due(Kind.UNVERIFIED, NOON, {}).by == ()
    assert one.due(Kind.FINDING, NOON + timedelta(hours=2), {}).notify.listed() == ["pager", "soc"]


def test_who_is_in_a_group() -> None:
    policy = policy_of(
        group("named"),
        {"name": "tagged", "tags": ["board"], "calls": ["board-*"]},
        {"name": "called", "calls": ["audit", "board-?x"]} | {"calls": ["audit"]},
        default={"dry_run": True},
    )

    def names(*subject: Any) -> tuple[str, ...]:
        return terms_of(policy, Subject(*subject)).names

    assert names("x", "Jane Doe") == ("named",)
    assert names("board-7", "Joe", frozenset({"board"})) == ("tagged",)
    assert names("x", "Joe", frozenset({"board"})) == ("default",)
    assert names("audit") == ("called",)
    assert names("audit", "Jane Doe") == ("named", "called")
    assert terms_of(policy_of(), Subject("x")).names == ()


def test_without_a_group_every_sink_is_told_of_an_alert_and_nothing_else_is_done() -> None:
    nobody = Terms()
    due = nobody.due(Kind.FINDING, NOON, {})
    assert (due.notify.listed(), due.orders) == (None, ())
    assert not nobody.concerns(Kind.SUSPICION)
    assert nobody.concerns(Kind.FINDING)
    assert nobody.detectors is None


def test_an_action_of_dry_groups_only_is_dry() -> None:
    dry = group("dry", dry_run=True, at_alert={"actions": ["mute"]})
    real = group("real", at_alert={"actions": [{"action": "mute", "confirm": False}]})
    (order,) = terms(dry).due(Kind.FINDING, NOON, {}).orders
    assert (order.dry_run, order.confirm) == (True, True)
    (order,) = terms(dry, real).due(Kind.FINDING, NOON, {}).orders
    assert (order.dry_run, order.confirm) == (False, False)


def test_sinks_by_name() -> None:
    every, some = Sinks(every=True), Sinks(frozenset({"soc"}))
    assert every | some == every
    assert every.covers(some)
    assert not some.covers(every)
    assert bool(every)
    assert bool(some)
    assert not Sinks()


def test_a_duration_is_a_number_and_a_unit() -> None:
    assert [seconds_of(text) for text in ("30 s", "5 min", "1 h", "2 d")] == [30.0, 300.0, 3600.0, 172800.0]
    for text in ("5", "min", "5 minutes of it", ""):
        with pytest.raises(ValueError, match="a number and a unit"):
            seconds_of(text)
