"""What is written into the journal beside an entry: what it is about, who is told, what is done. Pure.

It is decided once, when the entry is made, and kept with it: whoever is sent an entry again is sent it as it was, and
whoever was not told then is not told now, whatever the policy says meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from monitor.alerts.policy.rules import Kind, Sinks
from monitor.alerts.policy.terms import Due
from monitor.types import rfc3339


@dataclass(frozen=True, slots=True)
class Requested:
    """An action that was ordered, as readers of an entry see it; `id` is None where it was only noted down.

    `expires` is until when it can be confirmed, None for one that is done without.
    """

    action: str
    id: str | None
    confirm: bool
    dry_run: bool
    expires: datetime | None = None
    link: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "action": self.action,
            "id": self.id,
            "confirm": self.confirm,
            "dry_run": self.dry_run,
            "expires": self.expires and rfc3339(self.expires),
            "link": self.link,
        }


def handling(
    kind: Kind, told: Sinks, due: Due, requested: Sequence[Requested], groups: Sequence[str], drill: bool = False
) -> Mapping[str, Any]:
    """Return the field `handling` of a finding."""
    return {
        "kind": str(kind),
        "drill": drill,
        "groups": list(groups),
        "notify": told.listed(),
        "held": dict(due.held),
        "dry_run": due.dry_run,
        "actions": [one.as_json() for one in requested],
    }
