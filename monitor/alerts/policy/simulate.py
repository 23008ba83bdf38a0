"""A journal played against a policy: who would have been told what, and when. Pure.

Only what a journal holds can be played: findings, and what a policy of that time told of beside them. Verdicts of every
hop are not kept, so another `false_alerts_per_hour`, other detectors or a first `at_suspect` change nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from monitor.alerts.finding import Finding
from monitor.alerts.policy.evaluate import PolicyState, found
from monitor.alerts.policy.rules import Policy, Subject
from monitor.alerts.policy.terms import terms_of
from monitor.types import rfc3339

Tags = Callable[[str], frozenset[str]]


@dataclass(frozen=True, slots=True)
class Played:
    """A change of a finding as it would have been handled; `told` are the sinks that would have been sent it.

    `was` are those that were sent it then, None for every one. `actions` are those that it would have ordered.
    """

    finding: Finding
    groups: tuple[str, ...]
    told: list[str] | None
    was: list[str] | None
    actions: tuple[str, ...]
    held: dict[str, str]
    dry_run: bool

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        key = self.finding.key
        return {
            "time": rfc3339(self.finding.time),
            "call": key.call,
            "participant": key.participant,
            "identity": key.identity,
            "finding": self.finding.id,
            "kind": self.finding.kind,
            "action": self.finding.action,
            "groups": list(self.groups),
            "told": self.told,
            "was_told": self.was,
            "actions": list(self.actions),
            "held": self.held,
            "dry_run": self.dry_run,
        }


def simulate(policy: Policy, findings: Iterable[Finding], tags: Tags) -> Iterator[Played]:
    """Play findings in their order; those of drills are left out."""
    state, numbers = PolicyState(policy), count(1)

    def new_id() -> str:
        return f"simulated-{next(numbers)}"

    for finding in findings:
        if finding.drill:
            continue
        key = finding.key
        subject = Subject(key.call, key.identity, tags(key.identity) if key.identity is not None else frozenset())
        terms = terms_of(policy, subject)
        outcome = found(state, finding, new_id, terms)
        state = outcome.state
        handling: Mapping[str, Any] = outcome.entries[0].handling or {}
        orders = tuple(
            str(order.action) + (" (dry run)" if order.dry_run else "" if order.confirm else " (at once)")
            for order in outcome.orders
        )
        was = finding.handling["notify"] if finding.handling is not None else None
        told, held, dry_run = handling.get("notify"), handling.get("held", {}), handling.get("dry_run", False)
        yield Played(finding, terms.names, told, was, orders, held, dry_run)
