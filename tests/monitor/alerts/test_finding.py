from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts.finding import FindingTracker, OpenFinding, describe_scores
from monitor.alerts.plain import encode, plain
from monitor.alerts.wire import finding_message, gap, hello, state_message
from monitor.decision.report import HopReport
from monitor.types import Reason, Score, parse_rfc3339, rfc3339
from tests.monitor.alerts.build import KEY, NOON, finding
from tests.monitor.rig import CLOSE, GENUINE, OPEN, UPDATE, decision


def tracker() -> FindingTracker:
    numbers = itertools.count()
    return FindingTracker(KEY, lambda: f"episode-{next(numbers)}")


def test_an_episode() -> None:
    made = tracker()
    changes = [made.advance(decision(order), NOON) for order in (GENUINE, OPEN, GENUINE, UPDATE, CLOSE)]
    assert [change and (change.id, change.step, change.action) for change in changes] == [
        None,
        ("episode-0", 0, "opened"),
        None,
        ("episode-0", 1, "updated"),
        ("episode-0", 2, "closed"),
    ]
    opened = changes[1]
    assert opened is not None
    assert (opened.verdict, opened.reason) == ("alert", "lips_disagree_with_voice")
    assert opened.scores == {"synchrony": {"score": -0.2, "p_value": 0.001, "reason": None}}
    assert opened.evidence["synchrony"]["agreement"] == [0.1, 0.2, None]


def test_outlines_of_faces_are_not_kept() -> None:
    """A finding outlives an erased identity."""
    evidence = {"pairwise": {"rung": "as recorded", "worst_pair": {"reference": [[0.1, 0.2]]}}}
    opened = tracker().advance(replace(decision(OPEN), evidence=evidence), NOON)
    assert opened is not None
    assert opened.evidence == {"pairwise": {"rung": "as recorded"}}


def test_an_episode_that_waits_goes_on_under_its_id() -> None:
    before = tracker()
    before.advance(decision(OPEN), NOON)
    left = before.end(NOON, "ended", stays_open=True)
    assert left is not None
    assert (left.action, left.verdict, left.reason, left.step) == ("updated", "inconclusive", "ended", 1)
    assert before.finding == OpenFinding("episode-0", 2)
    again = FindingTracker(KEY, finding=before.finding)
    changes = [again.advance(decision(order), NOON) for order in (OPEN, CLOSE)]
    assert [change and (change.id, change.step, change.action) for change in changes] == [
        ("episode-0", 2, "updated"),
        ("episode-0", 3, "closed"),
    ]
    assert again.finding is None


def test_ids_are_unique_by_default() -> None:
    opened = [FindingTracker(KEY).advance(decision(OPEN), NOON) for _ in range(2)]
    assert opened[0] is not None
    assert opened[1] is not None
    assert opened[0].id != opened[1].id


def test_end() -> None:
    made = tracker()
    assert made.end(NOON, "ended") is None
    made.advance(decision(OPEN), NOON)
    assert made.open
    last = made.end(NOON, "ended")
    assert last is not None
    assert (last.action, last.verdict, last.reason, last.step) == ("closed", "inconclusive", "ended", 1)
    assert not made.open


@given(st.lists(st.sampled_from([GENUINE, OPEN, UPDATE, CLOSE, -1.0]), max_size=30))
def test_whatever_is_fed_every_id_is_opened_updated_closed(orders: list[float]) -> None:
    made, told = tracker(), []
    for order in orders:
        change = made.end(NOON, "ended") if order < 0 else made.advance(decision(order), NOON)
        if change is not None:
            told.append(change)
    for name, changes in itertools.groupby(told, key=lambda change: change.id):
        actions = [change.action for change in changes]
        assert actions[0] == "opened"
        assert set(actions[1:-1]) <= {"updated"}
        assert actions.count("closed") <= 1
        assert [change.step for change in told if change.id == name] == list(range(len(actions)))
    assert all(
        change.action == "closed"
        for change in told
        if change.id != (told[-1].id if made.open else None)
        and change is [other for other in told if other.id == change.id][-1]
    )


def test_time_is_utc_with_milliseconds() -> None:
    east = datetime(2026, 3, 1, 14, 0, 0, 250_999, timezone(timedelta(hours=2)))
    assert rfc3339(east) == "2026-03-01T12:00:00.250Z"
    assert parse_rfc3339(rfc3339(east)) == datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC)


def test_scores_with_and_without_evidence() -> None:
    score = Score("synchrony", None, Reason.SILENCE, evidence={"speech_seconds": 1.0})
    assert describe_scores([score]) == {"synchrony": {"score": None, "p_value": None, "reason": "silence"}}
    assert describe_scores([score], evidence=True)["synchrony"]["evidence"] == {"speech_seconds": 1.0}


def test_messages() -> None:
    assert hello(3) == {"type": "hello", "seq": 3}
    assert gap(3) == {"type": "gap", "after": 3}
    assert finding_message(7, finding()) == {
        "type": "finding",
        "seq": 7,
        "id": "e",
        "action": "opened",
        "call": "board",
        "participant": "p1",
        "identity": "Ada",
        "claim": None,
        "time": "2026-03-01T12:00:00.250Z",
        "verdict": "alert",
        "reason": "lips_disagree_with_voice",
        "scores": {"synchrony": {"score": -0.1, "p_value": 0.001, "reason": None}},
        "evidence": {"synchrony": {"offsets_ms": [0, 40]}},
        "kind": "finding",
        "drill": False,
        "severity": "high",
        "handling": None,
    }
    state = json.loads(encode(state_message(HopReport(KEY, 1.0, None, decision(OPEN), 3, {"fps": 30.0}), NOON)))
    assert (state["type"], state["statistic"], state["threshold"]) == ("state", None, 7200.0)
    assert state["quality"] == {"fps": 30.0, "dropped": 3}
    assert state["scores"]["synchrony"]["evidence"]["agreement"] == [0.1, 0.2, None]


def test_plain() -> None:
    class Word(StrEnum):
        YES = "yes"

    value: dict[Any, Any] = {
        "a": np.float32(0.5),
        1: np.array([1, 2]),
        "n": float("nan"),
        "e": Word.YES,
        "t": (True, None),
    }
    assert encode(value) == '{"a":0.5,"1":[1,2],"n":null,"e":"yes","t":[true,null]}'
    assert type(plain(Word.YES)) is str
    with pytest.raises(TypeError, match="object has no place"):
        plain(object())
