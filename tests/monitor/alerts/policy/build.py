"""People, groups and moments for tests of the policy."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from monitor.alerts.finding import Action, Finding
from monitor.alerts.policy.document import read
from monitor.alerts.policy.evaluate import Outcome, PolicyState, hop, joined
from monitor.alerts.policy.rules import Policy
from monitor.types import ParticipantKey

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
JANE = ParticipantKey("board", "alice", "Jane Doe")
PLACE = ("board", "alice")


def policy_of(*groups: dict[str, Any], **more: Any) -> Policy:
    """Return the policy of a document, which must be right."""
    policy, faults = read({"groups": list(groups), **more})
    assert policy is not None, faults
    return policy


def group(name: str = "people", **says: Any) -> dict[str, Any]:
    """Return a group about Jane Doe."""
    return {"name": name, "people": ["Jane Doe"], **says}


def ids() -> Callable[[], str]:
    """Return what gives a new id each time."""
    numbers = count(1)
    return lambda: f"id-{next(numbers)}"


def at(seconds: float) -> datetime:
    """Return a moment after noon."""
    return NOON + timedelta(seconds=seconds)


def state_of(policy: Policy, key: ParticipantKey = JANE, tags: frozenset[str] = frozenset()) -> PolicyState:
    """Return the state once somebody has joined."""
    return joined(PolicyState(policy), key, tags, NOON)


def change(action: Action, seconds: float, finding: str = "f", key: ParticipantKey = JANE, step: int = 0) -> Finding:
    """Return a change of a finding."""
    verdict = "inconclusive" if action == "closed" else "alert"
    return Finding(finding, step, action, key, at(seconds), verdict, "lips_disagree_with_voice")


class Run:
    """Feeds a state and keeps what came of it."""

    def __init__(self, policy: Policy, key: ParticipantKey = JANE, tags: frozenset[str] = frozenset()) -> None:
        self.state = state_of(policy, key, tags)
        self.new_id = ids()
        self.place = (key.call, key.participant)

    def hop(self, seconds: float, verdict: str, reason: str | None = None) -> Outcome:
        """Take a hop."""
        return self.take(hop(self.state, self.place, verdict, reason, at(seconds), self.new_id))

    def take(self, outcome: Outcome) -> Outcome:
        """Go on from an outcome."""
        self.state = outcome.state
        return outcome


def told(outcome: Outcome) -> list[list[str] | None]:
    """Return who was told of each entry."""
    return [entry.handling["notify"] if entry.handling is not None else None for entry in outcome.entries]
