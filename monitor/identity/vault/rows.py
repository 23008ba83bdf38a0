"""Rows of the vault's tables as what is told of them; each sealed field is opened in the place where it belongs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from monitor.identity.vault.consent import Consent
from monitor.identity.vault.records import LIVE, IdentityInfo, IdentityState, Receipt, VersionInfo
from monitor.identity.vault.sealing import Names
from monitor.identity.vault.tables import versions

# Without the template, which may be megabytes.
TOLD = tuple(column for column in versions.c if column.name not in ("wrapped", "sealed"))


def record(names: Names, row: Any) -> Any:
    """Return who enrolled, when, and under which consent."""
    return names.unseal(row.record, "record", row.identity, row.version)


def consent(names: Names, row: Any) -> Consent:
    """Return the consent under which this version was enrolled."""
    return Consent.from_json(record(names, row)["consent"])


def approval(names: Names, row: Any) -> Any:
    """Return who approved and when; raises `VaultError` for a version that is active though nobody did."""
    if row.approval is None and row.state != "active":
        return {}
    return names.unseal(row.approval or b"", "approval", row.identity, row.version)


def version_info(names: Names, row: Any) -> VersionInfo:
    """Return what is told of one enrolment."""
    written, approved = record(names, row), approval(names, row)
    return VersionInfo(
        version=row.version,
        state=row.state,
        enrolled=written["enrolled"],
        enrolled_by=written["enrolled_by"],
        approved=approved.get("approved"),
        approved_by=approved.get("approved_by"),
        consent=Consent.from_json(written["consent"]),
        bytes=row.bytes,
    )


def identity_info(names: Names, rows: Sequence[Any], today: date) -> IdentityInfo:
    """Return what is told of an identity, from all its versions, newest first; one of them is live."""
    active = next((row for row in rows if row.state == "active"), None)
    pending = next((row for row in rows if row.state == "pending_approval"), None)
    row = active or pending or rows[0]
    info = version_info(names, row)
    state: IdentityState = "expired"
    if row.state in LIVE and info.consent.holds(today):
        state = row.state
    name = names.unseal(row.name, "name", row.identity)
    return IdentityInfo(row.identity, name, state, info, pending.version if pending else None, len(rows))


def receipt(names: Names, row: Any, cleaned: bool) -> Receipt:
    """Return a receipt; its row is joined with the hash of its line in the audit log."""
    return Receipt(
        id=row.id,
        identity=row.identity,
        erased=row.erased,
        erased_by=names.unseal(row.actor, "receipt", row.id),
        cause=row.cause,
        versions=row.versions,
        destroyed=row.destroyed,
        audit=row.audit,
        audit_hash=(row.hash or b"").hex(),
        cleaned=cleaned,
    )
