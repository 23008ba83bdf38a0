"""Values that cross: each comes back as it was, and nothing else comes out, whatever is sent."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import numpy as np
import pytest

from monitor.alerts.finding import Finding, OpenFinding
from monitor.decision.contrast import Heard
from monitor.decision.decide import DecisionConfig, initial
from monitor.decision.rejoin import Join
from monitor.decision.turns import Turn, Turned, Turns
from monitor.detectors.synchrony.carried import Carried
from monitor.detectors.synchrony.offset import Curve, Track
from monitor.host.cluster import values
from monitor.host.cluster.values import MAX_DEPTH, ValueCodecError, decode, encode
from monitor.host.departed import Departed, Past
from monitor.identity.claimed import Claimed, Considered
from monitor.identity.names import Likeness, Match
from monitor.types import Aspect, Claim, ParticipantKey, Profile, Reason

KEY = ParticipantKey("board", "ada", "Ada L", Claim.DISPLAY_NAME)


def across(value: Any) -> Any:
    return decode(json.loads(json.dumps(encode(value), allow_nan=False)))


def state() -> Any:
    begun = initial(DecisionConfig(detectors=frozenset({"synchrony", "pairwise"})))
    running = begun.running.advance(5.0, 3.0, 2.0, {"pairwise": 7.0})
    turned = Turned(Turn.VOICE_CHANGES_FACE_STAYS, 3.5)
    turns = Turns({Aspect.VOICE: (1.0, True)}, {turned.turn: 3.5}, frozenset({turned.turn}), (turned,))
    return replace(
        begun, running=running, recovery=running, blame=Reason("of_a_plugin"), latest={Aspect.FACE: Heard(1.0, 0.5)},
        turns=turns, entered=frozenset({"synchrony"}),
    )  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        7,
        1.5,
        math.inf,
        -math.inf,
        "Zoë",
        b"\x00\xff",
        [1, [2, "x"]],
        (1, (2, "x")),
        {"a": 1, "b": (1, 2)},
        {"$": "a key that marks"},
        {1: "a key that is no text", Aspect.FACE: 2},
        frozenset({"b", "a"}),
        datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC),
        Reason.SILENCE,
        Match.PART,
        KEY,
        Profile("Ada", "id-1"),
        Claimed(KEY, "Ada", ("Adam",), None, (Considered(Claim.DISPLAY_NAME, "Ada L", True, Likeness(Match.FULL)),)),
        Finding("f", 2, "updated", KEY, datetime(2026, 3, 1, tzinfo=UTC), "alert", None, {"synchrony": {"score": 1.0}}),
        Past(state(), OpenFinding("f", 3), (Join(1.0, 2.0),)),
        Departed(KEY, 12.5, "ended", state(), OpenFinding("f", 3), (Join(1.0, 2.0),)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    back = across(value)
    assert back == value
    assert type(back) is type(value)


def test_by_what_an_identity_is_claimed_crosses_too() -> None:
    """It is left out of comparisons."""
    assert across(KEY).claim is Claim.DISPLAY_NAME
    assert across(Finding("f", 0, "opened", KEY, datetime.now(UTC), "alert", None)).key.claim is Claim.DISPLAY_NAME


def test_what_is_no_number_is_none_on_the_other_side_either() -> None:
    assert math.isnan(across(math.nan))
    assert across(np.float32(0.5)) == 0.5


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "i8", "b1", "u1"])
def test_arrays_come_back_and_may_be_written(dtype: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(dtype)
    back = across(array[:, ::2])
    assert back.dtype == array.dtype
    assert np.array_equal(back, array[:, ::2])
    back[0, 0] = 1


def test_what_a_detector_remembers_comes_back() -> None:
    curve = Curve(np.array([0.1, 0.2]), np.array([3, 4]))
    carried = Carried(curve, np.array([0.5]), np.array([True]), 25, Track((1, 2)))
    back = across(carried)
    assert np.array_equal(back.curve.means, curve.means)
    assert np.array_equal(back.curve.counts, curve.counts)
    assert (back.rate, back.path, back.usable.tolist()) == (25, Track((1, 2)), [True])


class Stranger:
    """None of those that cross."""


class Reasons(StrEnum):
    """A word of another type."""

    ONE = "one"


@pytest.mark.parametrize(
    "value", [Stranger(), {"a": Stranger()}, [object], np.array(["text"]), {1, 2}, Reasons.ONE, 1j]
)
def test_what_is_none_of_the_types_is_not_sent(value: Any) -> None:
    with pytest.raises(ValueCodecError):
        encode(value)


@pytest.mark.parametrize(
    "value",
    [
        {"$": "nobody", "v": 1},
        {"$": "data", "of": "Path", "v": ["/etc"]},
        {"$": "data", "of": "ParticipantKey", "v": ["board"]},
        {"$": "data", "of": "ParticipantKey", "v": ["board"] * 9},
        {"$": "data", "of": "Reason", "v": ["silence"]},
        {"$": "data", "of": ["Reason"], "v": []},
        {"$": "data", "of": "DecisionConfig", "v": [-1.0] * 13},
        {"$": "enum", "of": "Path", "v": "/etc"},
        {"$": "enum", "of": "Profile", "v": "x"},
        {"$": "enum", "of": "Claim", "v": "nothing"},
        {"$": "enum", "v": "x"},
        {"$": "array", "of": "O", "shape": [1], "v": ""},
        {"$": "array", "of": "<U1", "shape": [1], "v": "AAAAAA=="},
        {"$": "array", "of": "<M8[s]", "shape": [1], "v": "AAAAAAAAAAA="},
        {"$": "array", "of": "<f4", "shape": [3], "v": "AAAAAA=="},
        {"$": "array", "of": "<f4", "shape": [1], "v": "%%%"},
        {"$": "array", "of": "<f4", "shape": None, "v": "AAAAAA=="},
        {"$": "bytes", "v": 1},
        {"$": "dict", "v": [[[], 1]]},
        {"$": "dict", "v": [[1, 2, 3]]},
        {"$": "float", "v": "x"},
        {"$": "set", "v": [[]]},
        {"$": "time", "v": "noon"},
        {"$": "tuple", "v": 1},
        {"$": ["tuple"], "v": []},
    ],
)  # fmt: skip
def test_what_is_none_of_the_types_is_not_read(value: Any) -> None:
    with pytest.raises(ValueCodecError):
        decode(value)


def test_depth_is_bounded() -> None:
    deep: Any = []
    for _ in range(MAX_DEPTH + 1):
        deep = [deep]
    with pytest.raises(ValueCodecError, match="too deeply"):
        decode(deep)


def test_types_have_names_of_their_own() -> None:
    assert len(values.TYPES) == len(values.DATACLASSES) + len(values.ENUMS)
