from __future__ import annotations

from typing import Any

import pytest

from monitor.alerts.casework.events import (
    MAX_DETAILS_BYTES,
    MAX_TEXT_CHARACTERS,
    CaseworkError,
    EventKind,
    NewEvent,
    checked,
    event_json,
    parse_details,
)
from tests.monitor.alerts.casework.build import event, new

GOOD = [
    new(EventKind.ACKNOWLEDGED),
    new(EventKind.ASSIGNED, to="sam"),
    new(EventKind.ASSIGNED, to=None),
    new(EventKind.NOTED, text="called back"),
    new(EventKind.LABELLED, label="unsure", text="bad line"),
    new(EventKind.TOLD, actor="policy", whom="soc", sink="pager"),
    new(EventKind.ACTION_PROPOSED, actor="policy", id="a1", action="mute"),
    new(EventKind.ACTION_CONFIRMED, id="a1"),
    new(EventKind.CHALLENGE_ANSWERED, id="c1", outcome="passed"),
]
BAD: list[tuple[NewEvent, str]] = [
    (new(EventKind.ACKNOWLEDGED, finding=""), "printable"),
    (new(EventKind.ACKNOWLEDGED, actor="a\nb"), "printable"),
    (new(EventKind.ACKNOWLEDGED, actor="a" * 129), "printable"),
    (new(EventKind.ASSIGNED), "`to`"),
    (new(EventKind.ASSIGNED, to=""), "`to`"),
    (new(EventKind.ASSIGNED, to=3), "`to`"),
    (new(EventKind.NOTED), "`text`"),
    (new(EventKind.NOTED, text="  "), "`text`"),
    (new(EventKind.NOTED, text="x" * (MAX_TEXT_CHARACTERS + 1)), "`text`"),
    (new(EventKind.NOTED, text=7), "`text`"),
    (new(EventKind.LABELLED, label="maybe"), "true, false or unsure"),
    (new(EventKind.TOLD, whom="soc"), "`sink`"),
    (new(EventKind.ACTION_DONE), "`id`"),
    (new(EventKind.CHALLENGE_ANSWERED, id="c1"), "`outcome`"),
    (new(EventKind.ACKNOWLEDGED, more=object()), "numbers"),
    (new(EventKind.ACKNOWLEDGED, more="x" * MAX_DETAILS_BYTES), "at most"),
]


@pytest.mark.parametrize("given", GOOD, ids=lambda given: str(given.kind))
def test_what_says_enough_is_taken_as_it_is(given: NewEvent) -> None:
    assert checked(given) == given


@pytest.mark.parametrize(("given", "why"), BAD)
def test_what_says_too_little_or_too_much_is_refused_in_one_line(given: NewEvent, why: str) -> None:
    with pytest.raises(CaseworkError, match=why) as refused:
        checked(given)
    assert "\n" not in str(refused.value)


def test_what_is_no_json_becomes_it() -> None:
    assert checked(new(EventKind.ACKNOWLEDGED, more=(1, float("nan")))).details == {"more": [1, None]}


def test_an_event_as_json() -> None:
    told = event_json(event(4, EventKind.NOTED, text="x"), "then")
    assert told == {"seq": 4, "event": "noted", "time": "then", "actor": "jo", "details": {"text": "x"}}


@pytest.mark.parametrize("text", ["[1]", "3", "{", "null"])
def test_details_that_nobody_wrote_are_refused(text: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        parse_details(text)


def test_details_as_they_were() -> None:
    assert parse_details('{"text":"x"}') == {"text": "x"}
