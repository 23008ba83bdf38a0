from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts.casework.case import Action, ActionState, Case, CaseState, case_json, fold
from monitor.alerts.casework.events import REQUIRED, CaseEvent, EventKind, Label
from tests.monitor.alerts.casework.build import NOON, event

E = EventKind


def case(*events: CaseEvent) -> Case:
    return fold("e", events)


def test_without_events_a_case_is_open() -> None:
    assert case() == Case("e")
    assert case(event(1, E.ACKNOWLEDGED, "other")) == Case("e")


def test_the_first_who_acknowledges_stays() -> None:
    made = case(event(1, E.ACKNOWLEDGED), event(2, E.ACKNOWLEDGED, actor="sam"))
    assert (made.state, made.acknowledged_by, made.events, made.seq) == (CaseState.ACKNOWLEDGED, "jo", 2, 2)
    assert made.updated == NOON.replace(second=2)


def test_labels_close_a_case_and_the_last_counts() -> None:
    true = case(event(1, E.LABELLED, label="true"))
    assert (true.state, true.label, true.labelled_by, true.acknowledged_by) == (
        CaseState.CLOSED,
        Label.TRUE,
        "jo",
        "jo",
    )
    late = case(event(1, E.LABELLED, label="false"), event(2, E.ACKNOWLEDGED, actor="sam"))
    assert (late.state, late.acknowledged_by) == (CaseState.CLOSED, "jo")
    unsure = case(event(1, E.LABELLED, label="true"), event(2, E.LABELLED, actor="sam", label="unsure"))
    assert (unsure.state, unsure.label, unsure.labelled_by) == (CaseState.ACKNOWLEDGED, Label.UNSURE, "sam")


def test_who_has_it_and_what_was_noted_and_told() -> None:
    made = case(
        event(1, E.ASSIGNED, to="sam"),
        event(2, E.NOTED, text="first"),
        event(3, E.TOLD, actor="policy", whom="soc", sink="pager"),
        event(4, E.NOTED, text="second"),
    )
    assert (made.state, made.assignee) == (CaseState.OPEN, "sam")
    assert [note.text for note in made.notes] == ["first", "second"]
    assert [(told.whom, told.sink) for told in made.told] == [("soc", "pager")]
    assert case(event(1, E.ASSIGNED, to="sam"), event(2, E.ASSIGNED, to=None)).assignee is None


def test_an_action_goes_its_way() -> None:
    made = case(
        event(1, E.ACTION_PROPOSED, actor="policy", id="a", action="mute", group="board"),
        event(2, E.ACTION_PROPOSED, actor="policy", id="b", action="notify"),
        event(3, E.ACTION_CONFIRMED, actor="sam", id="a"),
        event(4, E.ACTION_DONE, actor="policy", id="a", seconds=0.2),
        event(5, E.ACTION_REFUSED, actor="sam", id="b"),
    )
    a, b = made.actions
    assert a == Action(
        "a", "mute", ActionState.DONE, NOON.replace(second=4), "policy", "sam",
        {"id": "a", "action": "mute", "group": "board", "seconds": 0.2},
    )  # fmt: skip
    assert (b.state, b.actor, b.confirmed_by) == (ActionState.REFUSED, "sam", None)
    assert made.action("b") == b
    assert made.action("c") is None


def test_an_action_that_nobody_proposed_shows_all_the_same() -> None:
    [action] = case(event(1, E.ACTION_FAILED, id="a", why="no room")).actions
    assert (action.action, action.state) == ("unknown", ActionState.FAILED)


def test_a_challenge_is_answered() -> None:
    made = case(event(1, E.CHALLENGE_MADE, id="c", words="a b c"), event(2, E.CHALLENGE_MADE, id="d"))
    assert [challenge.outcome for challenge in made.challenges] == [None, None]
    after = case(
        event(1, E.CHALLENGE_MADE, id="c", words="a b c"),
        event(2, E.CHALLENGE_MADE, id="d"),
        event(3, E.CHALLENGE_ANSWERED, actor="sam", id="c", outcome="failed"),
    ).challenge("c")
    assert after is not None
    assert (after.outcome, after.answered_by, after.made_by) == ("failed", "sam", "jo")
    assert after.details["words"] == "a b c"
    alone = case(event(1, E.CHALLENGE_ANSWERED, id="x", outcome="passed")).challenge("x")
    assert alone is not None
    assert alone.outcome == "passed"
    assert made.challenge("x") is None


def test_a_case_as_json() -> None:
    told = case_json(
        case(
            event(1, E.LABELLED, label="true"),
            event(2, E.NOTED, text="n"),
            event(3, E.TOLD, whom="soc", sink="pager"),
            event(4, E.ACTION_PROPOSED, id="a", action="mute"),
            event(5, E.CHALLENGE_MADE, id="c"),
            event(6, E.CHALLENGE_MADE, id="d"),
            event(7, E.CHALLENGE_ANSWERED, id="d", outcome="passed"),
        )
    )
    assert (told["state"], told["label"], told["events"]) == ("closed", "true", 7)
    assert told["notes"] == [{"time": "2026-03-01T12:00:02.250Z", "actor": "jo", "text": "n"}]
    assert told["told"][0]["sink"] == "pager"
    assert told["actions"][0]["state"] == "proposed"
    assert [one["outcome"] for one in told["challenges"]] == [None, "passed"]
    assert told["updated"] == "2026-03-01T12:00:07.250Z"
    assert case_json(Case("e"))["updated"] is None


@st.composite
def events(draw: st.DrawFn) -> list[CaseEvent]:
    kinds = draw(st.lists(st.sampled_from(E), max_size=12))
    made = []
    for seq, kind in enumerate(kinds, 1):
        details = {name: draw(st.sampled_from(["true", "false"])) for name in REQUIRED.get(kind, ())}
        made.append(event(seq, kind, **details))
    return made


@given(events())
def test_every_order_of_events_has_a_meaning(given_events: list[CaseEvent]) -> None:
    made = case(*given_events)
    labels = [one.details["label"] for one in given_events if one.kind is E.LABELLED]
    assert made.label == (labels[-1] if labels else None)
    assert (made.state is CaseState.CLOSED) == bool(labels)
    assert made.events == len(given_events)
    assert len({action.id for action in made.actions}) == len(made.actions)
