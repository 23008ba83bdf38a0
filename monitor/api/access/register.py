"""The register of signed tokens: which were made here and which of them were revoked; in the journal's database.

A token counts only while it is in the register and not revoked, so whoever takes the signing key alone makes none that
is accepted. The database is asked for each use: a revocation is in force at once in every process that shares it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from monitor.alerts.journal import Journal
from monitor.api.access.grant import Grant, Seat
from monitor.api.access.roles import Role
from monitor.api.access.tables import MIGRATIONS, tokens

# Those that ended longer ago than this are forgotten when another is made.
KEPT_SECONDS = 7 * 86_400


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A line of the register; times in seconds since 1970."""

    grant: Grant
    issued: int
    issued_by: str
    revoked: int | None = None
    revoked_by: str | None = None

    def state(self, now: float) -> str:
        """Return `active`, `expired` or `revoked`."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.grant.expires is not None and now >= self.grant.expires else "active"


class Register:
    """Synchronous, safe to use from several threads; raises `JournalError` only."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._migrated = False

    def add(self, grant: Grant, issued_by: str, now: int) -> None:
        """Note a token that is made."""
        seat = grant.seat
        row = {
            "id": grant.id,
            "subject": grant.subject,
            "role": str(grant.role),
            "call": seat and seat.call,
            "participant": seat and seat.participant,
            "identity": seat.identity if seat else grant.identity,
            "issued": now,
            "issued_by": issued_by,
            "expires": grant.expires,
        }
        self.migrate()
        with self._journal.transaction() as connection:
            connection.execute(sa.delete(tokens).where(tokens.c.expires < now - KEPT_SECONDS))
            connection.execute(sa.insert(tokens).values(**row))

    def stands(self, token_id: str) -> bool:
        """Whether a token is in the register and not revoked."""
        self.migrate()
        query = sa.select(tokens.c.revoked).where(tokens.c.id == token_id)
        with self._journal.transaction() as connection:
            row = connection.execute(query).one_or_none()
        return row is not None and row.revoked is None

    def revoke(self, token_id: str, by: str, now: int) -> bool:
        """Put a token out of force; False where there is none. Who revoked it first stays."""
        self.migrate()
        with self._journal.transaction() as connection:
            connection.execute(
                sa.update(tokens)
                .where(tokens.c.id == token_id, tokens.c.revoked.is_(None))
                .values(revoked=now, revoked_by=by)
            )
            return connection.execute(sa.select(tokens.c.id).where(tokens.c.id == token_id)).one_or_none() is not None

    def list(self) -> Sequence[IssuedToken]:
        """Return every token that is remembered, the oldest first."""
        self.migrate()
        with self._journal.transaction() as connection:
            rows = connection.execute(sa.select(tokens).order_by(tokens.c.issued, tokens.c.id)).all()
        return [_issued(row) for row in rows]

    def migrate(self) -> None:
        """Create or migrate the tables, when one is first used: a sidecar without signed tokens needs none."""
        with self._lock:
            if self._migrated:
                return
            with self._journal.transaction() as connection:
                MIGRATIONS.upgrade(connection)
            self._migrated = True


def _issued(row: Any) -> IssuedToken:
    seat = None if row.call is None else Seat(row.call, row.participant, row.identity)
    own = row.identity if seat is None else None
    grant = Grant(row.subject, Role(row.role), row.id, int(row.expires), seat, own)
    return IssuedToken(grant, int(row.issued), row.issued_by, row.revoked, row.revoked_by)
