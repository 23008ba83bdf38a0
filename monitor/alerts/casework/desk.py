"""Casework on the event loop: events are written in a thread, and subscribers are told when a case changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from monitor.alerts.casework.events import NewEvent
from monitor.alerts.casework.store import CaseLog, Casework, Check, Recorded
from monitor.alerts.push import Hub
from monitor.types import rfc3339


class Desk:
    """What the API and the policy write through; raises as `Casework` does. `recorded` is told of each event, too."""

    def __init__(self, casework: Casework, hub: Hub, recorded: Callable[[Recorded], None] | None = None) -> None:
        self.casework = casework
        self._hub = hub
        self._recorded = recorded

    async def record(self, event: NewEvent, check: Check | None = None) -> Recorded:
        """Write an event and tell subscribers of the case; `check` may refuse, see `Casework.append`."""
        recorded = await asyncio.to_thread(self.casework.append, event, check)
        self._hub.notice(case_message(recorded))
        if self._recorded is not None:
            self._recorded(recorded)
        return recorded

    async def of(self, finding: str) -> CaseLog:
        """Return the events of a finding, and its case."""
        return await asyncio.to_thread(self.casework.of, finding)


def case_message(recorded: Recorded) -> dict[str, Any]:
    """Say that a case changed; it is not kept, and holds no text that somebody wrote."""
    event, case = recorded.event, recorded.case
    return {
        "type": "case",
        "finding": case.finding,
        "event": str(event.kind),
        "time": rfc3339(event.time),
        "actor": event.actor,
        "state": str(case.state),
        "label": case.label and str(case.label),
        "assignee": case.assignee,
    }
