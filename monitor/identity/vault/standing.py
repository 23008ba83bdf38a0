"""What the audit log says is in force: which enrolments of an identity, or that it was erased for ever. Pure.

The rows of the vault say the same. Whoever can write its database can put older rows back, sealed as they were; the
lines of the log they cannot write. So rows are believed only where the log says the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from monitor.identity.vault.audit import AuditEntry
from monitor.identity.vault.records import LIVE_STATES


class VersionRow(Protocol):
    """What is read of a row of the versions."""

    @property
    def version(self) -> int:
        """Its number."""
        ...

    @property
    def state(self) -> str:
        """What the row says of itself."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """One identity by the log: the numbers of its versions in force, and whether it was erased."""

    active: int | None = None
    pending: int | None = None
    erased: bool = False

    def allows(self, row: VersionRow) -> bool:
        """Whether the log has nothing against a row of this identity: what the row says is in force is so."""
        in_force = {"active": self.active, "pending_approval": self.pending}
        return not self.erased and in_force.get(row.state, row.version) == row.version

    def agrees(self, rows: Iterable[VersionRow]) -> bool:
        """Whether all rows of an identity say what the log says, and none is missing."""
        found = list(rows)
        in_force = {row.version for row in found if row.state in LIVE_STATES}
        said = {version for version in (self.active, self.pending) if version is not None}
        return all(map(self.allows, found)) and in_force == said


NOBODY = Standing()


def after(standing: Standing, entry: AuditEntry) -> Standing:
    """Return how an identity stands after a line about it; what is erased stays so, whatever is written then."""
    if standing.erased:
        return standing
    detail = json.loads(entry.detail)
    version = detail.get("version")
    if entry.action == "enrolled":
        if detail["state"] == "active":
            return Standing(active=version)
        return replace(standing, pending=version)
    if entry.action == "approved":
        return Standing(active=version)
    if entry.action == "rejected":
        return replace(standing, pending=None)
    if entry.action == "consent_expired":
        return Standing(
            None if standing.active == version else standing.active,
            None if standing.pending == version else standing.pending,
        )
    return Standing(erased=True) if entry.action == "erased" else standing
