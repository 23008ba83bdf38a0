"""Rows of the vault's tables as records; each sealed field is opened under the row that it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from monitor.identity.vault.consent import Consent
from monitor.identity.vault.records import (
    LIVE_STATES,
    NO_DETAILS,
    Details,
    IdentityInfo,
    IdentityState,
    Receipt,
    VersionInfo,
)
from monitor.identity.vault.sealing import FieldCipher


def record(cipher: FieldCipher, row: Any) -> Any:
    """Return who enrolled, when, and under which consent."""
    return cipher.unseal(row.record, "record", row.identity, row.version)


def consent(cipher: FieldCipher, row: Any) -> Consent:
    """Return the consent under which this version was enrolled."""
    return Consent.from_json(record(cipher, row)["consent"])


def approval(cipher: FieldCipher, row: Any) -> Any:
    """Return who approved and when; raises `VaultError` for a version that is active though nobody did."""
    if row.approval is None and row.state != "active":
        return {}
    return cipher.unseal(row.approval or b"", "approval", row.identity, row.version)


def version_info(cipher: FieldCipher, row: Any) -> VersionInfo:
    """Return the record of one enrolment."""
    written, approved = record(cipher, row), approval(cipher, row)
    known = Details.from_json(written)
    return VersionInfo(
        version=row.version,
        state=row.state,
        enrolled=written["enrolled"],
        enrolled_by=written["enrolled_by"],
        approved=approved.get("approved"),
        approved_by=approved.get("approved_by"),
        consent=Consent.from_json(written["consent"]),
        bytes=row.bytes,
        tags=known.tags,
        verify_by=known.verify_by,
    )


def details(cipher: FieldCipher, rows: Sequence[Any]) -> Details:
    """Return what the newest enrolment of an identity that is in force or waits says of the person."""
    live = [row for row in rows if row.state in LIVE_STATES]
    return Details.from_json(record(cipher, live[0])) if live else NO_DETAILS


def identity_info(cipher: FieldCipher, rows: Sequence[Any], today: date) -> IdentityInfo:
    """Return the record of an identity from all its versions, newest first; one of them is live."""
    active = next((row for row in rows if row.state == "active"), None)
    pending = next((row for row in rows if row.state == "pending_approval"), None)
    row = active or pending or rows[0]
    info = version_info(cipher, row)
    state: IdentityState = "expired"
    if row.state in LIVE_STATES and info.consent.holds(today):
        state = row.state
    name = cipher.unseal(row.name, "name", row.identity)
    return IdentityInfo(row.identity, name, state, info, pending.version if pending else None, len(rows))


def receipt(cipher: FieldCipher, row: Any, cleaned: bool) -> Receipt:
    """Return a receipt; its row is joined with the hash of its line in the audit log."""
    return Receipt(
        id=row.id,
        identity=row.identity,
        erased=row.erased,
        erased_by=cipher.unseal(row.actor, "receipt", row.id),
        cause=row.cause,
        versions=row.versions,
        destroyed=row.destroyed,
        audit=row.audit,
        audit_hash=(row.hash or b"").hex(),
        cleaned=cleaned,
    )
