"""Errors that cross."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.config import ConfigError
from monitor.host.calls import AtCapacity, InvalidName, Occupied
from monitor.host.cluster.refusals import HostError, error_of, told
from monitor.tap.rtp.sdp import SdpError


@pytest.mark.parametrize(
    "error",
    [
        AtCapacity("all places are taken", 7),
        Occupied(3),
        InvalidName("the call must be something else"),
        SdpError(422, "Unprocessable", "nothing in it can be judged"),
        ConfigError("there is no such plug-in"),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_refusal_is_the_same_at_the_other_end(error: Exception) -> None:
    back = error_of(json.loads(json.dumps(told(error))))
    assert type(back) is type(error)
    assert (str(back), vars(back)) == (str(error), vars(error))


def test_of_anything_else_only_the_type_is_told() -> None:
    back = error_of(told(ValueError("a message that names somebody")))
    assert isinstance(back, HostError)
    assert str(back) == "a host failed (ValueError): its log says why"


@pytest.mark.parametrize("words", [[], ["at_capacity", "full", "soon"], ["unheard_of", 1]])
def test_what_is_not_known_is_a_refusal_all_the_same(words: list[Any]) -> None:
    assert "update both ends" in str(error_of(words))
