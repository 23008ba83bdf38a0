"""Whether everything that is kept at a place can be used and holds: revisions, rows, chains, and the server's care."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from monitor.alerts.casework.store import Casework
from monitor.alerts.chain import Sign
from monitor.alerts.journal import Journal, JournalError
from monitor.cli.databases.places import PARTS, Opened, Place, is_there, opened, revisions
from monitor.config import Settings
from monitor.identity.vault.anchor import open_anchors
from monitor.identity.vault.errors import VaultError
from monitor.identity.vault.open import existing_vault
from monitor.identity.vault.vault import Vault
from monitor.storage.database import Database

# Of each chain.
MOST_FAULTS = 5
# What a server must do so that a commit that was told of is still there after a power cut.
DURABLE = {"fsync": "on", "full_page_writes": "on"}
OLDEST_SERVER = 130000


@dataclass(frozen=True, slots=True)
class PartState:
    """A part of a place: how far it has come, how far it has to be, and the rows of each of its tables."""

    name: str
    revision: str | None
    newest: str
    rows: dict[str, int] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """`ok`, `absent` (it is made when it is first used), or `old`."""
        if self.revision is None:
            return "absent"
        return "old" if self.is_old else "ok"

    @property
    def is_old(self) -> bool:
        """Whether it is of another version than this one."""
        return self.revision is not None and self.revision != self.newest


@dataclass(frozen=True, slots=True)
class Held:
    """How many rows a chain has, the hash of its last one, and what is wrong with it."""

    rows: int
    head: str
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verified:
    """The chains of a place; `unsigned` says why nobody can tell who wrote them, None where that was checked."""

    chains: dict[str, Held]
    unsigned: str | None = None

    @property
    def faults(self) -> list[str]:
        """What is wrong, the first of each chain."""
        return [fault for held in self.chains.values() for fault in held.faults[:MOST_FAULTS]]

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        chains = {
            name: {"rows": held.rows, "head": held.head, "faults": list(held.faults)}
            for name, held in self.chains.items()
        }
        return {"chains": chains, "unsigned": self.unsigned}


def states(databases: Opened) -> list[PartState]:
    """Return every part as it stands."""
    found = []
    for part, revision in zip(PARTS, revisions(databases).values(), strict=True):
        rows: dict[str, int] = {}
        if revision == part.migrations.newest:
            with databases.of(part).transaction() as connection:
                count = sa.func.count()
                for table in part.tables:
                    rows[table.name] = connection.execute(sa.select(count).select_from(table)).scalar_one()
        found.append(PartState(part.name, revision, part.migrations.newest, rows))
    return found


def verify(settings: Settings, place: Place) -> Verified:
    """Check the chains of everything that is at a place, with the master key who wrote them."""
    chains: dict[str, Held] = {}
    with ExitStack() as stack:
        databases = stack.enter_context(opened(place))
        present = {name for name, revision in revisions(databases).items() if revision is not None}
        sign, unsigned = None, None
        if "vault" in present:
            sign, unsigned = _vault(settings, place, chains, stack)
        if "findings" in present:
            folder = settings.anchor_dir or settings.state_dir
            notes = [open_anchors(settings.anchors, folder, log) for log in ("journal", "casework")]
            journal = stack.enter_context(closing(Journal(place.journal_url, sign=sign, anchors=notes[0])))
            found = journal.verify()
            chains["findings"] = Held(found.rows, found.head, found.faults)
            found = Casework(journal, sign, notes[1]).verify()
            chains["cases"] = Held(found.rows, found.head, found.faults)
    return Verified(chains, unsigned)


def _vault(
    settings: Settings, place: Place, chains: dict[str, Held], stack: ExitStack
) -> tuple[Sign | None, str | None]:
    """Check the audit log, and give what findings are signed with, or why there is nothing."""
    existing = existing_vault(settings, place.vault_url)
    if existing is None:
        return None, None
    vault: Vault = stack.enter_context(existing)
    unsigned, faults = None, list[str]()
    try:
        vault.unlock()
    except VaultError as error:
        unsigned = str(error)
    report = vault.verify_audit()
    if report.broken is not None:
        faults.append(f"the audit log breaks at line {report.broken}: {report.why}")
    elif unsigned is None:
        try:
            faults += [f"the audit log says otherwise of the identity {name}" for name in vault.verify_entries()]
        except VaultError as error:
            faults.append(str(error))
    chains["audit"] = Held(report.lines, report.head, tuple(faults))
    return (vault.sign_finding if unsigned is None else None), unsigned


def server_warnings(database: Database) -> list[str]:
    """Return what of a PostgreSQL's settings may lose what was committed, or is too old; nothing of SQLite."""
    if database.sqlite:
        return []
    with database.transaction() as connection:
        version = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one())
        shown = {name: connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in DURABLE}
    warnings = [
        f"the server has {name} = {shown[name]}: a power cut may lose findings that were told of, set it {value}"
        for name, value in DURABLE.items()
        if shown[name] != value
    ]
    if version < OLDEST_SERVER:
        warnings.append(f"the server is of version {version // 10000}: use {OLDEST_SERVER // 10000} or newer")
    return warnings


def writable(settings: Settings, place: Place, databases: Opened, parts: Sequence[PartState]) -> str | None:
    """Return why a finding could not be written now, None where one could; writes and changes nothing."""
    if parts[0].state != "ok" or not is_there(databases.journal):
        return None
    with closing(Journal(place.journal_url, settings.findings_kept)) as journal:
        try:
            journal.check()
        except JournalError as error:
            return str(error)
    return None
