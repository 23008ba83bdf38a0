"""The vault: sealed templates of enrolled people under their names, in one database.

Each template has a data key of its own, wrapped by the master key; names, actors and consents are sealed too and a name
is found by its keyed hash, so the database alone does not reveal who is enrolled. Every change is one transaction that
also writes a line of the audit log, and what that log does not say is in force is not served. To the vault a template
is bytes, and there is no way to search by one: a caller asks by name.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from monitor.identity.vault import erasure, ledger, queries, rotation, rows, watch
from monitor.identity.vault.anchor import Anchor
from monitor.identity.vault.audit import Action, AuditEntry, AuditReport
from monitor.identity.vault.consent import Consent
from monitor.identity.vault.database import Database
from monitor.identity.vault.errors import ApprovalRefused, KeysError, NotEnrolled, VaultError
from monitor.identity.vault.keys import MasterKeys, WrappedKey, new_key
from monitor.identity.vault.records import (
    LIVE_STATES,
    NO_DETAILS,
    Details,
    Enrolled,
    IdentityInfo,
    Receipt,
    VersionInfo,
    VersionState,
    check_name,
    is_same_actor,
)
from monitor.identity.vault.sealing import (
    MAX_TEMPLATE_BYTES,
    NAMES_KEY_CONTEXT,
    SCHEMA,
    FieldCipher,
    data_key_context,
    seal,
    template_context,
    unseal,
)
from monitor.identity.vault.tables import MIGRATIONS, identities, names_keys, receipts, versions
from monitor.types import rfc3339

__all__ = (
    "ApprovalRefused", "Enrolled", "IdentityInfo", "KeysError", "NotEnrolled", "Receipt", "Vault", "VaultError",
    "VersionInfo",
)  # fmt: skip

# Actors in the audit log that are not people.
SWEEPER = "retention sweeper"
VAULT = "vault"
STORE_ATTEMPTS = 16
READ_ATTEMPTS = 3


def utc_now() -> datetime:
    """Return the present in UTC."""
    return datetime.now(UTC)


class Vault:
    """A synchronous vault on one database, safe to use from several threads; raises `VaultError` only."""

    def __init__(
        self,
        url: str,
        keys: MasterKeys,
        second_approver: bool = False,
        now: Callable[[], datetime] = utc_now,
        anchors: Sequence[Anchor] = (),
    ) -> None:
        self.database = Database(url)
        self._watch = watch.Watch(self.database, anchors)
        self._keys = keys
        self._second_approver = second_approver
        self._now = now
        self._opened_cipher: FieldCipher | None = None

    def open(self) -> None:
        """Create or migrate the tables, see that master key and log are the right ones, finish an erasure cut short."""
        self.database.migrate(MIGRATIONS)
        with self.database.transaction() as connection:
            ledger.lock(connection)
            if connection.execute(sa.select(names_keys.c.one)).first() is None:
                self._watch.check_new()
                root = new_key()
                wrapped = self._keys.wrap(root, NAMES_KEY_CONTEXT)
                row = {"one": 1, "key_id": wrapped.key_id, "wrapped": wrapped.blob}
                connection.execute(sa.insert(names_keys).values(row))
                ledger.append(connection, FieldCipher(root), rfc3339(self._now()), "created", VAULT)
        self.unlock()
        self._watch.follow(self._cipher.sign, watch.refuse)
        self.database.clean()

    def unlock(self) -> None:
        """See that the master key is the right one, without making or changing anything; raises `KeysError`."""
        with self.database.transaction() as connection:
            row = connection.execute(sa.select(names_keys)).one_or_none()
        if row is None:
            raise KeysError("the vault has no names key: restore a backup of its database")
        self._opened_cipher = FieldCipher(self._keys.unwrap(WrappedKey(row.key_id, row.wrapped), NAMES_KEY_CONTEXT))

    def close(self) -> None:
        """Release the connections; the vault can be used again afterwards."""
        self.database.close()

    def store(self, name: str, template: bytes, consent: Consent, actor: str, about: Details = NO_DETAILS) -> Enrolled:
        """Seal a template as the next version of an enrolment; `pending_approval` with a second approver.

        A version that it replaces loses its data key and template, and stays in the history without them. What
        `about` leaves out stays as it was.
        """
        check_name("name", name)
        details = about.checked()
        check_name("actor", actor)
        if not consent.holds(self._now().date()):
            raise VaultError("the consent has expired: obtain a new one")
        if not 0 < len(template) <= MAX_TEMPLATE_BYTES:
            raise VaultError(f"a template must have 1 to {MAX_TEMPLATE_BYTES >> 20} MiB: enrol with fewer clips")
        for _attempt in range(STORE_ATTEMPTS):
            if enrolled := self._store(name, template, consent, actor, details):
                if enrolled.version > 1:
                    self.database.clean()
                return enrolled
        raise VaultError("the vault is being changed by others at this moment: try again")

    def load(self, name: str) -> bytes | None:
        """Return the active template; None when not enrolled, waiting for approval, expired or erased."""
        row = self._active(name, tuple(versions.c))
        if row is None:
            return None
        context = data_key_context(row.identity, row.version, row.schema)
        data_key = self._keys.unwrap(WrappedKey(row.key_id, row.wrapped), context)
        return unseal(data_key, row.sealed, template_context(row.identity, row.version, name, row.schema))

    def current(self, name: str) -> Enrolled | None:
        """Return which enrolment `load` would give, without opening it (cheap: what a cache asks before each use)."""
        row = self._active(name, queries.SUMMARY_COLUMNS)
        return None if row is None else Enrolled(row.identity, row.version, "active")

    def show(self, name: str) -> IdentityInfo | None:
        """Return an identity as it stands, None when not enrolled."""
        return next(iter(self._identities(identities.c.tag == self._cipher.tag(name))), None)

    def list(self) -> Sequence[IdentityInfo]:
        """Return every identity, by name."""
        return sorted(self._identities(sa.true()), key=lambda info: info.name)

    def history(self, name: str) -> Sequence[VersionInfo]:
        """Return every enrolment of an identity, newest first; raises `NotEnrolled`."""
        return [rows.version_info(self._cipher, row) for row in self._believed(lambda c: self._version_rows(c, name))]

    def approve(self, name: str, actor: str) -> Enrolled:
        """Make the pending enrolment active; raises `NotEnrolled`, `ApprovalRefused` (same actor, nothing pending)."""
        check_name("actor", actor)
        with self._changing() as connection:
            present, pending = self._pending(connection, name)
            record = rows.record(self._cipher, pending)
            if is_same_actor(actor, record["enrolled_by"]):
                raise ApprovalRefused("whoever enrolled cannot approve as well: let somebody else do it")
            if not rows.consent(self._cipher, pending).holds(self._now().date()):
                raise ApprovalRefused("the consent has expired meanwhile: enrol anew with a new one")
            erasure.destroy(connection, [row for row in present if row.state == "active"], "superseded")
            approval = self._approval(pending.identity, pending.version, actor)
            connection.execute(erasure.update(pending).values(state="active", approval=approval))
            self._write(connection, "approved", actor, pending.identity, version=pending.version)
        self.database.clean()
        return Enrolled(pending.identity, pending.version, "active")

    def reject(self, name: str, actor: str) -> Enrolled:
        """Destroy the pending enrolment, and the identity if that was all; raises `NotEnrolled`, `ApprovalRefused`."""
        check_name("actor", actor)
        with self._changing() as connection:
            present, pending = self._pending(connection, name)
            self._write(connection, "rejected", actor, pending.identity, version=pending.version)
            if any(row.state == "active" for row in present):
                erasure.destroy(connection, [pending], "rejected")
            else:
                self._erase(connection, pending.identity, actor, "rejected")
        self.database.clean()
        return Enrolled(pending.identity, pending.version, "rejected")

    def erase(self, name: str, actor: str) -> Receipt:
        """Destroy keys, templates and name, and clean the files; raises `NotEnrolled`."""
        check_name("actor", actor)
        with self._changing() as connection:
            query = sa.select(identities.c.id).where(identities.c.tag == self._cipher.tag(name))
            identity = connection.execute(query).scalar_one_or_none()
            if identity is None:
                raise NotEnrolled
            receipt = self._erase(connection, identity, actor, "asked")
        self.database.clean()
        return self._receipts(receipts.c.id == receipt)[0]

    def findings_erased(self, actor: str, counts: Mapping[str, str | int]) -> None:
        """Write in the audit log that findings were erased, by whom, and counts, which name nobody."""
        check_name("actor", actor)
        with self._changing() as connection:
            self._write(connection, "findings_erased", actor, "", **counts)

    def receipts(self, name: str | None = None) -> Sequence[Receipt]:
        """Return the receipts of what was erased, newest first; only those of `name` where it is given."""
        return self._receipts(sa.true() if name is None else receipts.c.tag == self._cipher.tag(name))

    def sweep(self, now: datetime | None = None) -> int:
        """Destroy what has no consent any more, and clean the files; return how many enrolments that were."""
        today = (now or self._now()).astimezone(UTC).date()
        live = sa.select(versions.c.identity).where(versions.c.state.in_(LIVE_STATES)).distinct()
        with self.database.transaction() as connection:
            people = connection.execute(live).scalars().all()
        count, damaged = 0, None
        for identity in people:
            try:
                count += self._sweep(identity, today)
            except VaultError as error:
                # One entry that cannot be read keeps nobody else's from being destroyed in time.
                damaged = error
        self.database.clean()
        if damaged is not None:
            raise damaged
        return count

    def rotate(self, keys: MasterKeys | None = None, actor: str = VAULT) -> int:
        """Wrap every key with the current master key of `keys`; return how many that were.

        Old and new must both be known until this has returned. Killed anywhere, it goes on when it is called again.
        """
        check_name("actor", actor)
        keys = keys or self._keys
        self._watch.follow(self._cipher.sign)
        count = rotation.rotate(self.database, keys, self._cipher, rfc3339(self._now()), actor)
        self._watch.follow(self._cipher.sign, watch.warn)
        self._keys = keys
        return count

    def master_key_ids(self) -> set[str]:
        """Return the ids of the master keys that are still needed: one, but within a rotation."""
        with self.database.transaction() as connection:
            return rotation.master_key_ids(connection)

    def audit(self, after: int = 0, limit: int = 100) -> Sequence[AuditEntry]:
        """Return up to `limit` lines of the audit log with numbers above `after`, oldest first."""
        with self.database.transaction() as connection:
            return ledger.entries(connection, self._cipher, after, limit)

    def sign_finding(self, data: bytes) -> bytes:
        """Return the keyed hash (32 bytes) that the journal signs findings with; raises `VaultError` before `open`."""
        return self._cipher.sign_finding(data)

    def verify_entries(self) -> Sequence[str]:
        """Say of which identities, by their numbers, the rows are not what the log says; raises `VaultError`."""
        self._watch.follow(self._cipher.sign)
        with self.database.transaction() as connection:
            return self._watch.disagreeing(queries.identity_rows(connection, sa.true()))

    def verify_audit(self) -> AuditReport:
        """Check the whole audit log; before `open` or `unlock` its hashes only."""
        with self.database.transaction() as connection:
            return ledger.check(connection, self._opened_cipher.sign if self._opened_cipher else None)

    @property
    def _cipher(self) -> FieldCipher:
        if self._opened_cipher is None:
            raise VaultError("the vault is not open: call `open` first")
        return self._opened_cipher

    def _store(self, name: str, template: bytes, consent: Consent, actor: str, details: Details) -> Enrolled | None:
        """Store once; None where another process changed the identity or the master key meanwhile."""
        tag = self._cipher.tag(name)
        with self.database.transaction() as connection:
            planned = queries.next_version(connection, tag)
        existing, version, master = planned
        identity = existing or uuid4().hex
        # Outside the transaction, because a key service may take its time.
        data_key = new_key()
        wrapped = self._keys.wrap(data_key, data_key_context(identity, version), master)
        sealed = seal(data_key, template, template_context(identity, version, name))
        state: VersionState = "pending_approval" if self._second_approver else "active"
        record = {"consent": consent.as_json(), "enrolled": rfc3339(self._now()), "enrolled_by": actor}
        with self._changing() as connection:
            if queries.next_version(connection, tag) != planned:
                return None
            if existing is None:
                row = {"id": identity, "tag": tag, "name": self._cipher.seal(name, "name", identity)}
                connection.execute(sa.insert(identities).values(row))
            else:
                replaced = LIVE_STATES if state == "active" else ("pending_approval",)
                present = self._version_rows(connection, name)
                if not self._watch.agrees(present):
                    raise VaultError(watch.UNBELIEVED)
                details = details.after(rows.details(self._cipher, present))
                previous = [row for row in present if row.state in replaced]
                erasure.destroy(connection, previous, "superseded")
            new = {
                "identity": identity,
                "version": version,
                "state": state,
                "schema": SCHEMA,
                "record": self._cipher.seal({**record, **details.as_json()}, "record", identity, version),
                "approval": self._approval(identity, version, actor) if state == "active" else None,
                "bytes": len(template),
                "key_id": wrapped.key_id,
                "wrapped": wrapped.blob,
                "sealed": sealed,
            }
            connection.execute(sa.insert(versions).values(new))
            self._write(connection, "enrolled", actor, identity, version=version, state=state)
        return Enrolled(identity, version, state)

    def _active(self, name: str, columns: Sequence[sa.Column[Any]]) -> Any:
        """Return the row that calls are compared with, its consent and approval checked, or None."""
        tag = self._cipher.tag(name)
        row = next(iter(self._believed(lambda connection: queries.active_row(connection, tag, columns))), None)
        if row is None or not rows.consent(self._cipher, row).holds(self._now().date()):
            return None
        rows.approval(self._cipher, row)
        return row

    def _identities(self, where: sa.ColumnElement[bool]) -> Sequence[IdentityInfo]:
        present = self._believed(lambda connection: queries.identity_rows(connection, where))
        today = self._now().date()
        groups = [tuple(group) for _, group in groupby(present, lambda row: row.identity)]
        return [rows.identity_info(self._cipher, group, today) for group in groups]

    def _receipts(self, where: sa.ColumnElement[bool]) -> Sequence[Receipt]:
        cleaned = self.database.is_clean()
        with self.database.transaction() as connection:
            result = queries.receipt_rows(connection, where)
        return [rows.receipt(self._cipher, row, cleaned) for row in result]

    @contextlib.contextmanager
    def _changing(self) -> Iterator[sa.Connection]:
        """Change something in a transaction under the vault's lock, on a log that holds; note its head afterwards."""
        with self.database.transaction() as connection:
            ledger.lock(connection)
            # By a connection of its own, which sees what was committed before: nothing is while the lock is held.
            self._watch.follow(self._cipher.sign)
            yield connection
        self._watch.follow(self._cipher.sign, watch.warn)

    def _believed(self, read: Callable[[sa.Connection], Sequence[Any]]) -> Sequence[Any]:
        """Read rows of versions that are in force by the log as well; raises `VaultError` where others are."""
        for _attempt in range(READ_ATTEMPTS):
            with self.database.transaction() as connection:
                self._watch.advance(connection, self._cipher.sign)
                found = read(connection)
            if self._watch.agrees(found):
                return found
            # Another process may have changed them in between.
        raise VaultError(watch.UNBELIEVED)

    def _version_rows(self, connection: sa.Connection, name: str) -> Sequence[Any]:
        result = queries.version_rows(connection, self._cipher.tag(name))
        if not result:
            raise NotEnrolled
        return result

    def _pending(self, connection: sa.Connection, name: str) -> tuple[Sequence[Any], Any]:
        """Return all versions of an identity and the one that waits for approval, under the vault's lock."""
        result = self._version_rows(connection, name)
        if not self._watch.agrees(result):
            raise VaultError(watch.UNBELIEVED)
        pending = next((row for row in result if row.state == "pending_approval"), None)
        if pending is None:
            raise ApprovalRefused("no enrolment of that name waits for approval: see `sidewitness identities list`")
        return result, pending

    def _approval(self, identity: str, version: int, actor: str) -> bytes:
        approval = {"approved": rfc3339(self._now()), "approved_by": actor}
        return self._cipher.seal(approval, "approval", identity, version)

    def _erase(self, connection: sa.Connection, identity: str, actor: str, cause: str) -> str:
        """Destroy everything of an identity and write its receipt; returns the receipt's id."""
        return erasure.erase(connection, self._cipher, rfc3339(self._now()), identity, actor, cause)

    def _sweep(self, identity: str, today: date) -> int:
        """Destroy the enrolments of one identity whose consent has ended; returns how many those were."""
        with self._changing() as connection:
            live = versions.c.identity == identity, versions.c.state.in_(LIVE_STATES)
            present = connection.execute(sa.select(*queries.SUMMARY_COLUMNS).where(*live)).all()
            ended = [row for row in present if not rows.consent(self._cipher, row).holds(today)]
            for row in ended:
                self._write(connection, "consent_expired", SWEEPER, identity, version=row.version)
            if ended and len(ended) == len(present):
                self._erase(connection, identity, SWEEPER, "consent_expired")
            else:
                erasure.destroy(connection, ended, "expired")
        return len(ended)

    def _write(self, connection: sa.Connection, action: Action, actor: str, identity: str, **detail: Any) -> AuditEntry:
        return ledger.append(connection, self._cipher, rfc3339(self._now()), action, actor, identity, detail)
