"""Sessions of people who have signed in: a secret text in their browser, a line in the database beside the tokens.

The line is found by a digest of the text, so that the database alone opens nothing, and what the provider needs to end
its own session is sealed with the text. The database is asked at each use: whoever is signed out is so at once, in
every process that shares it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from monitor.alerts.journal import Journal
from monitor.api.access.grant import Grant, Refusal
from monitor.api.access.register import Register
from monitor.api.access.roles import Role
from monitor.api.access.tables import sessions
from monitor.storage.tenancy.names import DEFAULT_TENANT

COOKIE_BYTES = 32
MAX_COOKIE_CHARS = 64
NONCE_BYTES = 12
# Of one subject, and of all: whoever signs in last stays.
MAX_PER_SUBJECT, MAX_SESSIONS = 16, 10_000
# How much later than it was a use is noted: a write for each request would be one too many.
SEEN_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Beginning:
    """Somebody who has just signed in; `hint` is what the provider wants to hear when they sign out."""

    subject: str
    role: Role
    identity: str | None = None
    hint: str = ""
    tenant: str = DEFAULT_TENANT


class Sessions:
    """Synchronous, safe to use from several threads; raises `JournalError` only. `clock` in seconds since 1970.

    `rules` stands for what roles are given by: a session that was begun under others is over. A session ends
    `idle_seconds` after its last use, and `lifetime_seconds` after its beginning however it is used.

    Sessions of all tenants are in one table, since nobody is anybody's before they have signed in. Whoever has a cookie
    has its session; listed, and ended by their id, are those of `tenant` alone.
    """

    def __init__(
        self,
        journal: Journal,
        register: Register,
        rules: str,
        idle_seconds: float,
        lifetime_seconds: float,
        clock: Callable[[], float] = time.time,
        tenant: str = DEFAULT_TENANT,
    ) -> None:
        self._journal, self._register, self._rules, self._clock = journal, register, rules, clock
        self._idle, self._lifetime = int(idle_seconds), int(lifetime_seconds)
        self._tenant = tenant

    def of(self, tenant: str) -> Sessions:
        """Return the sessions with those of a tenant to be listed and ended."""
        return Sessions(self._journal, self._register, self._rules, self._idle, self._lifetime, self._clock, tenant)

    def begin(self, beginning: Beginning) -> tuple[str, int]:
        """Begin a session; returns the text for its cookie, which is kept nowhere, and its end."""
        text, now = secrets.token_urlsafe(COOKIE_BYTES), int(self._clock())
        row = {
            "id": _digest(text),
            "subject": beginning.subject,
            "role": str(beginning.role),
            "identity": beginning.identity,
            "rules": self._rules,
            "hint": _sealed(text, beginning.hint) if beginning.hint else None,
            "begun": now,
            "seen": now,
            "expires": now + self._lifetime,
            "tenant": beginning.tenant,
        }
        self._register.migrate()
        with self._journal.transaction() as connection:
            over = (sessions.c.expires <= now) | (sessions.c.seen <= now - self._idle)
            connection.execute(sa.delete(sessions).where(over))
            theirs = sessions.c.subject == beginning.subject
            _make_room(connection, sa.select(sessions.c.id).where(theirs), MAX_PER_SUBJECT)
            _make_room(connection, sa.select(sessions.c.id), MAX_SESSIONS)
            connection.execute(sa.insert(sessions).values(**row))
        return text, now + self._lifetime

    def find(self, text: str) -> Grant | Refusal:
        """Return what the bearer of a cookie is granted, and note that it was used."""
        row, now = self._row(text), int(self._clock())
        if row is None or row.rules != self._rules or now >= min(row.expires, row.seen + self._idle):
            return Refusal.ENDED
        if now - row.seen >= SEEN_SECONDS:
            with self._journal.transaction() as connection:
                connection.execute(sa.update(sessions).where(sessions.c.id == row.id).values(seen=now))
        tenant = row.tenant or DEFAULT_TENANT
        return Grant(row.subject, Role(row.role), None, int(row.expires), None, row.identity, tenant)

    def end(self, text: str) -> str | None:
        """End the session of a cookie; returns what the provider wants to hear, None where there is nothing to say."""
        row = self._row(text)
        if row is None:
            return None
        self._delete(sessions.c.id == row.id)
        return _unsealed(text, row.hint) if row.hint else None

    def revoke(self, session_id: str) -> bool:
        """End a session of the tenant by its id; False where there is none."""
        self._register.migrate()
        return self._delete(sessions.c.id == session_id, self._theirs())

    def list(self) -> Sequence[dict[str, Any]]:
        """Return every session of the tenant that is not over, the oldest first; never the text of a cookie."""
        now = int(self._clock())
        self._register.migrate()
        standing = (sessions.c.expires > now, sessions.c.seen > now - self._idle, sessions.c.rules == self._rules)
        with self._journal.transaction() as connection:
            rows = connection.execute(
                sa.select(sessions).where(*standing, self._theirs()).order_by(sessions.c.begun)
            ).all()
        return [dict(row._mapping) for row in rows]

    def _theirs(self) -> sa.ColumnElement[bool]:
        return sa.func.coalesce(sessions.c.tenant, DEFAULT_TENANT) == self._tenant

    def _delete(self, *where: sa.ColumnElement[bool]) -> bool:
        with self._journal.transaction() as connection:
            return connection.execute(sa.delete(sessions).where(*where)).rowcount > 0

    def _row(self, text: str) -> Any:
        if not 0 < len(text) <= MAX_COOKIE_CHARS:
            return None
        self._register.migrate()
        with self._journal.transaction() as connection:
            return connection.execute(sa.select(sessions).where(sessions.c.id == _digest(text))).one_or_none()


def csrf_of(text: str) -> str:
    """Return what a page has to say beside the cookie `text` to change anything: no other page can read it."""
    return base64.urlsafe_b64encode(_key(text, b"csrf")).rstrip(b"=").decode()


def _make_room(connection: sa.Connection, query: sa.Select[Any], places: int) -> None:
    """Take out the oldest, until there is a place for one more."""
    oldest = connection.execute(query.order_by(sessions.c.seen.desc()).offset(places - 1)).scalars().all()
    for session_id in oldest:
        connection.execute(sa.delete(sessions).where(sessions.c.id == session_id))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _key(text: str, purpose: bytes) -> bytes:
    # The text is 256 random bits: it is a key, and needs no stretching.
    return hmac.new(text.encode("utf-8", "surrogatepass"), b"sidewitness session " + purpose, hashlib.sha256).digest()


def _sealed(text: str, hint: str) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(_key(text, b"hint")).encrypt(nonce, hint.encode(), None)


def _unsealed(text: str, sealed: bytes) -> str | None:
    try:
        return AESGCM(_key(text, b"hint")).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None).decode()
    except InvalidTag:
        return None
