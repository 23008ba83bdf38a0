"""Follows the audit log as it grows, so that the vault serves what the log says is in force and nothing else.

The whole log is verified once, then line by line as lines come, from this process or another. What was seen stays
seen: a log that becomes shorter or other while the vault is open is found out at the next use, one that became so while
it was closed by the head that was noted elsewhere (`anchor`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import sqlalchemy as sa
import structlog

from monitor.identity.vault import ledger
from monitor.identity.vault.anchor import Anchor, AnchorError, Noted
from monitor.identity.vault.audit import GENESIS, Head, Sign, verify_head, verify_next
from monitor.identity.vault.database import Database
from monitor.identity.vault.errors import VaultError
from monitor.identity.vault.standing import NOBODY, Standing, after

UNBELIEVED = (
    "an entry of the vault was changed or put back, its log says otherwise: restore the newest backup of its database, "
    "or erase that person and enrol anew"
)
REMEDY = "nobody is compared until the newest backup of its database is restored (see `sidewitness doctor --audit`)"


class Watch:
    """What is known of one vault's log; safe to use from several threads."""

    def __init__(self, database: Database, anchors: Sequence[Anchor] = ()) -> None:
        self._database = database
        self._anchors = anchors
        self._lock = threading.Lock()
        self._seen = Head(0, GENESIS, b"")
        self._standings: dict[str, Standing] = {}
        self._noted: dict[Anchor, Noted | None] | None = None

    def agrees(self, rows: Sequence[Any]) -> bool:
        """Whether the log, as far as it was followed, has nothing against these rows of versions."""
        with self._lock:
            return all(self._standings.get(row.identity, NOBODY).allows(row) for row in rows)

    def disagreeing(self, rows: Sequence[Any]) -> list[str]:
        """Return the identities of which all rows of the vault are not what the log says."""
        by_identity: dict[str, list[Any]] = {}
        for row in rows:
            by_identity.setdefault(row.identity, []).append(row)
        with self._lock:
            known = {identity for identity, one in self._standings.items() if one.active or one.pending}
            return sorted(
                identity
                for identity in known | by_identity.keys()
                if not self._standings.get(identity, NOBODY).agrees(by_identity.get(identity, ()))
            )

    def check_new(self) -> None:
        """Raise `VaultError` where a vault without a line is to be made and a head is noted: there was one before."""
        for anchor, noted in self._noted_before().items():
            if noted is not None:
                raise VaultError(
                    f"the vault is empty, line {noted.seq} of its log is noted in {anchor.place}: restore the newest "
                    f"backup of its database, or, if a new vault is to be made, move {anchor.place} away"
                )

    def follow(self, sign: Sign, note: Callable[[AnchorError], None] | None = None) -> None:
        """Take in what was written since; raises `VaultError` where the log does not hold, or ends too early.

        With `note` the head is noted afterwards; it is told what prevents that.
        """
        with self._database.transaction() as connection:
            self.advance(connection, sign)
        if note is not None:
            with self._lock:
                self._note(note)

    def advance(self, connection: sa.Connection, sign: Sign) -> None:
        """Do what `follow` does in a transaction in which nothing was read yet, for whoever reads on in it."""
        # The lock goes around the reading: what a second thread reads is never older than what this one saw.
        with self._lock:
            self._noted_before()
            self._advance(connection, sign)

    def _noted_before(self) -> dict[Anchor, Noted | None]:
        if self._noted is None:
            try:
                self._noted = {anchor: anchor.read() for anchor in self._anchors}
            except AnchorError as error:
                raise VaultError(str(error)) from None
        return self._noted

    def _advance(self, connection: sa.Connection, sign: Sign) -> None:
        head = ledger.head(connection)
        if head is None:
            raise VaultError(f"the head of the audit log is missing: {REMEDY}")
        if head.seq < self._seen.seq or (head.seq == self._seen.seq and head.hash != self._seen.hash):
            raise VaultError(f"the audit log of the vault was cut or exchanged while it was in use: {REMEDY}")
        if head == self._seen:
            return
        seen = self._seen
        standings: dict[str, Standing] = {}
        # Another process may have written past this head already: that is for the next time.
        for entry in islice(ledger.read(connection, seen.seq), head.seq - seen.seq):
            if why := verify_next(entry, seen, sign):
                raise VaultError(f"the audit log of the vault does not hold ({why}): {REMEDY}")
            seen = Head(entry.seq, entry.hash, b"")
            self._compare(seen)
            if entry.identity:
                known = standings.get(entry.identity) or self._standings.get(entry.identity, NOBODY)
                standings[entry.identity] = after(known, entry)
        if why := verify_head(seen, head, sign):
            raise VaultError(f"the audit log of the vault does not hold ({why}): {REMEDY}")
        self._cut(head)
        self._standings |= standings
        self._seen = head

    def _compare(self, seen: Head) -> None:
        for anchor, noted in self._noted_before().items():
            if noted is not None and noted.seq == seen.seq and noted.hash != seen.hash:
                raise VaultError(
                    f"line {seen.seq} of the vault's log is not the one noted in {anchor.place}: its database was "
                    f"exchanged; restore the newest backup, or, if you exchanged it yourself, move {anchor.place} away"
                )

    def _cut(self, head: Head) -> None:
        for anchor, noted in self._noted_before().items():
            if noted is not None and noted.seq > head.seq:
                raise VaultError(
                    f"the vault's log ends at line {head.seq}, line {noted.seq} is noted in {anchor.place}: its end "
                    "was cut off or an older copy put back; restore the newest backup, or, if you put that copy there "
                    f"yourself, move {anchor.place} away"
                )

    def _note(self, failed: Callable[[AnchorError], None]) -> None:
        newest = Noted(self._seen.seq, self._seen.hash)
        for anchor, noted in list(self._noted_before().items()):
            if noted == newest:
                continue
            try:
                anchor.note(newest)
            except AnchorError as error:
                failed(error)
            else:
                self._noted_before()[anchor] = newest


def warn(error: AnchorError) -> None:
    """Say that a head could not be noted; what was changed is changed."""
    structlog.stdlib.get_logger("vault").warning("the head of the vault's log is not noted", why=str(error))


def refuse(error: AnchorError) -> None:
    """Raise as a `VaultError`: a vault whose head cannot be noted is not opened."""
    raise VaultError(str(error)) from None
