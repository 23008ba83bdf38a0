"""Values for the tests of this folder."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from monitor.alerts.casework.events import CaseEvent, EventKind, NewEvent

NOON = datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC)


def new(kind: EventKind, finding: str = "e", actor: str = "jo", **details: Any) -> NewEvent:
    return NewEvent(finding, kind, actor, details)


def event(seq: int, kind: EventKind, finding: str = "e", actor: str = "jo", **details: Any) -> CaseEvent:
    return CaseEvent(seq, finding, kind, NOON.replace(second=seq), actor, details)
