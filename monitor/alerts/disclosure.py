"""How much of a verdict somebody is told: all of it, or the verdict and its reason. Pure.

Scores and evidence tell whoever makes a forgery how close it comes; a list of what may be shown keeps what is added
later out of sight until somebody puts it here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

# Of messages, of entries of `GET /v1/calls`, and of what is told of the media, not of the judgement.
SHOWN = frozenset(
    (
        "type", "seq", "id", "kind", "drill", "severity", "action", "call", "participant", "name", "identity", "claim",
        "time", "since", "verdict", "reason", "quality", "seconds", "coverage", "finding", "event", "state", "label",
        "opened", "changes",
    )
)  # fmt: skip
# What keeps its place, so that readers find every field that they know.
EMPTY: Mapping[str, Any] = {"scores": {}, "evidence": {}, "statistic": None, "threshold": None, "handling": None}


class Disclosure(Enum):
    """What is told: everything, or verdicts with their reasons."""

    FULL = auto()
    VERDICTS = auto()


def disclosed(message: Mapping[str, Any], disclosure: Disclosure) -> dict[str, Any]:
    """Return a finding, a state, or a participant's entry, as it may be told."""
    if disclosure is Disclosure.FULL:
        return dict(message)
    return {name: EMPTY.get(name, value) for name, value in message.items() if name in SHOWN or name in EMPTY}


def disclosed_call(call: Mapping[str, Any], disclosure: Disclosure) -> dict[str, Any]:
    """Return an entry of `GET /v1/calls` as it may be told."""
    told = disclosed(call, disclosure)
    return {**told, "participants": [disclosed(one, disclosure) for one in call["participants"]]}
