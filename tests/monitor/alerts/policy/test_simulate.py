"""A journal played against a policy, and an explanation of what holds for somebody."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from monitor.alerts.finding import Finding
from monitor.alerts.plain import encode
from monitor.alerts.policy.evaluate import found
from monitor.alerts.policy.explain import explain
from monitor.alerts.policy.message import NotAFindingError, parse_finding
from monitor.alerts.policy.simulate import simulate
from monitor.alerts.wire import finding_message, gap
from monitor.types import Claim, ParticipantKey
from tests.monitor.alerts.policy.build import JANE, PLACE, Run, at, change, group, policy_of

POLICY = policy_of(
    group(
        "board",
        tags=["board"],
        false_alerts_per_hour=0.5,
        detectors=["synchrony"],
        cool_down="5 min",
        at_alert={"notify": ["pager"], "actions": [{"action": "mute", "confirm": False}, "ask_to_verify"]},
    ),
    {"name": "audit", "calls": ["board"], "dry_run": True, "at_alert": {"notify": ["soc"], "actions": ["remove"]}},
)


def tags(name: str) -> frozenset[str]:
    return frozenset({"board"}) if name == "Joe" else frozenset()


def test_who_would_have_been_told_what_and_what_would_have_been_done() -> None:
    joe = ParticipantKey("x", "joe", "Joe")
    stranger = ParticipantKey("x", "guest")
    drill = replace(change("opened", 0, "d"), handling={"kind": "finding", "drill": True, "notify": None})
    played = list(
        simulate(
            POLICY,
            [
                drill,
                change("opened", 1, "a"),
                change("closed", 30, "a", step=1),
                change("opened", 40, "b"),
                replace(change("opened", 41, "c", key=joe), handling={"kind": "finding", "drill": False, "notify": []}),
                change("opened", 42, "e", key=stranger),
            ],
            tags,
        )
    )
    rows = [(one.finding.id, one.told, one.was, one.actions, one.held) for one in played]
    assert rows == [
        ("a", ["pager", "soc"], None, ("mute (at once)", "ask_to_verify (at once)", "remove (dry run)"), {}),
        ("a", ["pager", "soc"], None, (), {}),
        ("b", ["soc"], None, ("remove (dry run)",), {"board": "cool_down"}),
        ("c", ["pager"], [], ("mute (at once)", "ask_to_verify (at once)"), {}),
        ("e", None, None, (), {}),
    ]
    first = played[0].as_json()
    assert (first["groups"], first["told"], first["dry_run"]) == (["board", "audit"], ["pager", "soc"], False)
    assert json.loads(json.dumps(first)) == first


def test_without_a_policy_everybody_would_have_been_told() -> None:
    (one,) = simulate(policy_of(), [change("opened", 1)], tags)
    assert (one.told, one.actions, one.groups) == (None, (), ())


def test_an_explanation_names_the_group_of_every_word() -> None:
    run = Run(POLICY, tags=frozenset({"board"}))
    run.hop(1, "suspect", "identity_mismatch")
    run.take(found(run.state, change("opened", 2), run.new_id))
    told = explain(run.state, run.state.people[PLACE], frozenset({"board"}), at(3))
    assert told["groups"] == [
        {"name": "board", "because": ["the identity Jane Doe is named", "the identity Jane Doe is tagged board"]},
        {"name": "audit", "because": ["the call is named"]},
    ]
    assert told["settings"]["false_alerts_per_hour"] == {"value": 0.5, "from": ["board"]}
    assert told["settings"]["window_seconds"] is None
    assert told["settings"]["detectors"] is None
    (suspicion, finding) = (
        next(one for one in told["would"] if one["at"] == kind) for kind in ("suspicion", "finding")
    )
    assert (suspicion["notify"], suspicion["by"]) == ([], [])
    assert (finding["notify"], finding["held"]) == (["soc"], {"board": "cool_down"})
    assert finding["actions"] == [{"action": "remove", "confirm": True, "dry_run": True}]
    assert told["open"] == [{"kind": "finding", "id": "f", "notify": ["pager", "soc"]}]
    assert told["now"]["verdict"] == "suspect"


def test_an_explanation_for_others() -> None:
    alone = Run(policy_of(default={"detectors": ["persona"], "at_suspect": {}}), ParticipantKey("x", "y"))
    told = explain(alone.state, alone.state.people["x", "y"], frozenset(), at(1))
    assert told["groups"] == [{"name": "default", "because": ["they are in no other group"]}]
    assert told["settings"]["detectors"] == {"value": ["persona"], "from": ["default"]}
    nobody = Run(policy_of(), ParticipantKey("x", "y"))
    told = explain(nobody.state, nobody.state.people["x", "y"], frozenset(), at(1))
    assert [(one["at"], one["notify"], one["by"]) for one in told["would"]] == [
        ("finding", None, []), ("suspicion", [], []), ("unverified", [], []),
    ]  # fmt: skip
    nobody.hop(2, "inconclusive", "no_face")
    assert explain(nobody.state, nobody.state.people["x", "y"], frozenset(), at(3))["now"]["unclear_since"]


def line(finding: Finding, **changed: Any) -> bytes:
    return encode({**finding_message(7, finding), **changed}).encode()


def test_a_line_of_jsonl_is_the_finding_that_it_was() -> None:
    handling = {"kind": "suspicion", "drill": False, "notify": ["soc"], "groups": []}
    told = replace(change("opened", 1, key=replace(JANE, claim=Claim.STATED)), handling=handling)
    assert parse_finding(line(told)) == told
    assert parse_finding(line(change("closed", 2))) == change("closed", 2)
    assert parse_finding(encode(gap(3)).encode()) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"action": "shouted"},
        {"id": 3},
        {"call": None},
        {"identity": 3},
        {"claim": "by force"},
        {"time": "yesterday"},
        {"time": "2026-03-01T12:00:00"},
        {"handling": {"notify": "soc"}},
        {"handling": {"notify": None, "kind": "thing", "drill": False}},
        {"handling": []},
    ],
)
def test_a_line_of_something_else_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(NotAFindingError):
        parse_finding(line(change("opened", 1), **changed))


def test_what_is_no_json_is_refused() -> None:
    for text in (b"", b"[]", b"nonsense", b"\xff", b'{"type": "finding"}'):
        with pytest.raises(NotAFindingError):
            parse_finding(text)
