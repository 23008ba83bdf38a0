"""What the vault reports of identities: plain frozen values without a template in them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from monitor.identity.vault.consent import Consent
from monitor.identity.vault.errors import VaultError

MAX_NAME_CHARS = 128

# Of an identity. An erased one is not listed: its receipt is.
IdentityState = Literal["active", "pending_approval", "expired"]
# Of one enrolment. Only `pending_approval` and `active` still hold a template.
VersionState = Literal["pending_approval", "active", "superseded", "rejected", "expired"]
LIVE_STATES: tuple[VersionState, ...] = ("pending_approval", "active")


@dataclass(frozen=True, slots=True)
class Enrolled:
    """One enrolment: `id` is the identity's random number, `version` counts its enrolments from 1."""

    id: str
    version: int
    state: VersionState


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """One enrolment; `bytes` is the size of the template, 0 once that is destroyed. Times are RFC 3339."""

    version: int
    state: VersionState
    enrolled: str
    enrolled_by: str
    approved: str | None
    approved_by: str | None
    consent: Consent
    bytes: int

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {**asdict(self), "consent": self.consent.as_json()}


@dataclass(frozen=True, slots=True)
class IdentityInfo:
    """An identity as it stands.

    `version` is the enrolment that calls are compared with (where there is none, the newest), `pending` one that waits
    for approval, or None.
    """

    id: str
    name: str
    state: IdentityState
    version: VersionInfo
    pending: int | None
    versions: int

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {**asdict(self), "version": self.version.as_json()}


@dataclass(frozen=True, slots=True)
class Receipt:
    """That an identity was erased: without its name, which the vault no longer knows.

    `cause` is `asked` or `consent_expired`; `destroyed` counts the templates whose data keys were destroyed now;
    `audit` is the line of the audit log and `audit_hash` what it hashes to. `cleaned` is False while another process
    keeps the database from giving up the freed bytes; the next sweep tries again.
    """

    id: str
    identity: str
    erased: str
    erased_by: str
    cause: str
    versions: int
    destroyed: int
    audit: int
    audit_hash: str
    cleaned: bool

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


def check_name(kind: str, name: str) -> str:
    """Return `name` if it may name an identity or an actor, unchanged; raises `VaultError`."""
    if not 0 < len(name) <= MAX_NAME_CHARS or not name.isprintable() or name != name.strip():
        raise VaultError(f"the {kind} must be 1 to {MAX_NAME_CHARS} printable characters without spaces around them")
    return name
