"""Whether the vault opens, and whether its audit log and the journal's findings hold."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.detectors.check import Check, check_of

if TYPE_CHECKING:
    from monitor.config import Settings


MOST_FAULTS = 5


def vault(settings: Settings) -> Check:
    """Check that the vault can be opened with the master key that is set, where there is one already."""
    from monitor.identity.vault.errors import VaultError
    from monitor.identity.vault.open import existing_vault

    try:
        existing = existing_vault(settings)
        if existing is None:
            return Check("vault", "ok", "nobody was enrolled here yet")
        with existing as opened:
            opened.unlock()
    except VaultError as error:
        return check_of("vault", error)
    return Check("vault", "ok", "opens with the master key")


def findings(config: Path | None) -> Check:
    """Verify the chains of journal and casework, with the master key who wrote them, and their ends by their notes."""
    from monitor.alerts.casework.store import Casework
    from monitor.alerts.journal import Journal, JournalError
    from monitor.identity.vault.anchor import open_anchors
    from monitor.identity.vault.errors import VaultError
    from monitor.identity.vault.open import existing_vault
    from monitor.storage.tenancy.command import load

    settings, locked = load(config), ""
    anchors = open_anchors(settings.anchors, settings.anchor_dir or settings.state_dir, "journal")
    try:
        with ExitStack() as stack:
            vault = existing_vault(settings)
            sign = None
            if vault is not None:
                opened = stack.enter_context(vault)
                try:
                    opened.unlock()
                    sign = opened.sign_finding
                except VaultError as error:
                    # The hashes can be checked all the same.
                    locked = str(error)
            journal = stack.enter_context(closing(Journal(settings.journal_url, sign=sign, anchors=anchors)))
            if journal.file is not None and not journal.file.exists():
                return Check("findings", "ok", "no journal, no findings")
            report = journal.verify()
            notes = open_anchors(settings.anchors, settings.anchor_dir or settings.state_dir, "casework")
            report = replace(report, faults=(*report.faults, *Casework(journal, sign, notes).verify().faults))
    except (JournalError, VaultError) as error:
        return check_of("findings", error)
    if report.faults:
        more = f", and {len(report.faults) - MOST_FAULTS} more" if len(report.faults) > MOST_FAULTS else ""
        remedy = "compare with a backup, and find out who could write the database"
        return Check("findings", "failed", "; ".join(report.faults[:MOST_FAULTS]) + more, remedy)
    if locked:
        detail, _, remedy = locked.rpartition(": ")
        return Check("findings", "failed", f"{report.rows} findings follow, but who wrote them: {detail}", remedy)
    return Check("findings", "ok", f"{report.rows} findings hold, head {report.head}")


def audit_log(config: Path | None) -> Check:
    """Verify the chain of the audit log, and with the master key who wrote it, its end, and what is served by it."""
    from monitor.identity.vault.errors import KeysError, VaultError
    from monitor.identity.vault.open import existing_vault
    from monitor.storage.tenancy.command import load

    locked, entries = "", tuple[str, ...]()
    try:
        existing = existing_vault(load(config))
        if existing is None:
            return Check("audit log", "ok", "no vault, no lines")
        with existing as opened:
            try:
                opened.unlock()
            except KeysError as error:
                # The hashes can be checked all the same.
                locked = str(error)
            report = opened.verify_audit()
            if report.broken is None and not locked:
                # Against what was noted elsewhere as well, and what is served against the log.
                entries = tuple(opened.verify_entries())
    except VaultError as error:
        return check_of("audit log", error)
    if report.broken is not None:
        remedy = "compare with a backup, and find out who could write the database"
        return Check("audit log", "failed", f"breaks at line {report.broken}: {report.why}", remedy)
    if locked:
        detail, _, remedy = locked.rpartition(": ")
        return Check("audit log", "failed", f"{report.lines} lines follow, but who wrote them: {detail}", remedy)
    if entries:
        remedy = "restore the newest backup of the database, or erase these people and enrol anew"
        return Check("audit log", "failed", f"entries that it says otherwise of: {', '.join(entries)}", remedy)
    return Check("audit log", "ok", f"{report.lines} lines hold, head {report.head}")
