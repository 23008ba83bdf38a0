"""Which rules hold for somebody and what they would do now, and why: as JSON values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from monitor.alerts.policy.evaluate import Person, PolicyState
from monitor.alerts.policy.rules import Group, Kind
from monitor.alerts.policy.terms import WITHOUT_GROUP, Terms
from monitor.types import rfc3339

NUMBERS = ("false_alerts_per_hour", "window_seconds", "unverified_after_seconds")


def explain(state: PolicyState, person: Person, tags: frozenset[str], now: datetime) -> dict[str, Any]:
    """Return what holds for somebody in a call, from which group, and what an episode of each kind would lead to now.

    A number that no group says is null: the settings of the server hold.
    """
    key, terms = person.key, person.terms
    place = (key.call, key.participant)
    findings = [one for one in state.findings.values() if (one.key.call, one.key.participant) == place]
    own = [one for one in (person.suspicion, person.unverified) if one is not None]
    return {
        "call": key.call,
        "participant": key.participant,
        "identity": key.identity,
        "groups": [{"name": group.name, "because": _because(group, person, tags)} for group in terms.groups],
        "settings": {**{name: _number(terms, name) for name in NUMBERS}, "detectors": _detectors(terms)},
        "now": {
            "time": rfc3339(now),
            "verdict": person.verdict,
            "reason": person.reason,
            "unclear_since": person.unclear_since and rfc3339(person.unclear_since),
        },
        "would": [_would(terms, kind, now, state.done.get((place, kind), {})) for kind in Kind],
        "open": [{"kind": str(one.kind), "id": one.id, "notify": one.told.listed()} for one in (*findings, *own)],
    }


def _because(group: Group, person: Person, tags: frozenset[str]) -> list[str]:
    identity = person.key.identity
    found = [f"the identity {identity} is named"] if identity in group.people else []
    found += [f"the identity {identity} is tagged {tag}" for tag in sorted(group.tags & tags)]
    found += ["the call is named"] if group.calls else []
    return found or ["they are in no other group"]


def _number(terms: Terms, name: str) -> dict[str, Any] | None:
    value = getattr(terms, name)
    if value is None:
        return None
    return {"value": value, "from": [group.name for group in terms.groups if getattr(group, name) == value]}


def _detectors(terms: Terms) -> dict[str, Any] | None:
    found = terms.detectors
    return None if found is None else {"value": sorted(found), "from": list(terms.names)}


def _would(terms: Terms, kind: Kind, now: datetime, done: Mapping[str, datetime]) -> dict[str, Any]:
    due = terms.due(kind, now, done)
    by = [name for name in due.by if name != WITHOUT_GROUP.name]
    return {
        "at": str(kind),
        "notify": due.notify.listed(),
        "actions": [
            {"action": str(order.action), "confirm": order.confirm, "dry_run": order.dry_run} for order in due.orders
        ],
        "held": dict(due.held),
        "by": by,
        "dry_run": due.dry_run,
    }
