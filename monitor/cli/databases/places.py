"""Where everything is kept, and its parts: each with its tables, its migrations and a chain of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from engines.errors import SidewitnessError
from monitor.alerts import erased, journal
from monitor.alerts.casework import tables as casework
from monitor.alerts.sinks import cursors, dead
from monitor.api.access import tables as access
from monitor.config import ConfigError, Settings
from monitor.identity.vault import tables as vault
from monitor.storage.database import Database, Wording
from monitor.storage.dialect import SQLITE, UnusableUrlError, parse
from monitor.storage.migrate import Migrations

HERE, SERVER = "sqlite", "postgresql"


class DatabaseError(SidewitnessError):
    """A database cannot be used as was asked; the message is one line that says what to do."""


WORDING = Wording(DatabaseError, "database")


@dataclass(frozen=True, slots=True)
class Part:
    """What is migrated together: findings, cases, tokens, or the vault."""

    name: str
    migrations: Migrations
    tables: tuple[sa.Table, ...]

    @property
    def is_vault(self) -> bool:
        """Whether it is in the vault's database, which may be another one than the journal's."""
        return self.name == "vault"


PARTS = (
    Part(
        "findings",
        journal.MIGRATIONS,
        (journal.findings, journal.heads, cursors.cursors, dead.letters, *erased.metadata.sorted_tables),
    ),
    Part("cases", casework.MIGRATIONS, tuple(casework.metadata.sorted_tables)),
    Part("tokens", access.MIGRATIONS, tuple(access.metadata.sorted_tables)),
    Part("vault", vault.MIGRATIONS, tuple(vault.metadata.sorted_tables)),
)


@dataclass(frozen=True, slots=True)
class Place:
    """The addresses of journal and vault, which on a server are one; `kind` is that of the database."""

    kind: str
    journal_url: str
    vault_url: str

    @property
    def is_one(self) -> bool:
        """Whether everything is in one database."""
        return self.journal_url == self.vault_url


def place_of(settings: Settings) -> Place:
    """Return where the settings keep everything; raises `ConfigError`."""
    return Place(_kind(settings.journal_url), settings.journal_url, settings.vault_url)


def place_named(text: str, settings: Settings) -> Place:
    """Return a place by what somebody has written; raises `ConfigError`.

    `sqlite` is the files in the state directory, `postgresql` what the setting `database_url` names, a path a folder
    with such files; else it is an address.
    """
    if text == HERE:
        return place_of(settings.model_copy(update={"database_url": None}))
    if text == SERVER:
        found = place_of(settings)
        if found.kind == SQLITE:
            raise ConfigError("set SIDEWITNESS_DATABASE_URL to the address of the PostgreSQL that is meant")
        return found
    if "://" in text:
        return Place(_kind(text), text, text)
    return place_of(settings.model_copy(update={"database_url": None, "state_dir": Path(text).absolute()}))


def _kind(url: str) -> str:
    try:
        return parse(url).get_backend_name()
    except UnusableUrlError as error:
        raise ConfigError(f"this address names no database ({error}): write postgresql+psycopg://HOST/NAME") from None


@dataclass(frozen=True, slots=True)
class Opened:
    """The databases of a place; the same one twice where everything is in one."""

    journal: Database
    vault: Database

    def of(self, part: Part) -> Database:
        """Return the database that holds a part."""
        return self.vault if part.is_vault else self.journal

    @property
    def each(self) -> tuple[Database, ...]:
        """Each database once."""
        return (self.journal,) if self.vault is self.journal else (self.journal, self.vault)


@contextmanager
def opened(place: Place) -> Iterator[Opened]:
    """Connect to a place as long as the context is open."""
    with ExitStack() as stack:
        first = Database(place.journal_url, WORDING)
        stack.callback(first.close)
        second = first if place.is_one else Database(place.vault_url, WORDING)
        stack.callback(second.close)
        yield Opened(first, second)


def is_there(database: Database) -> bool:
    """Whether there is a database: to connect to a file that is absent would make it."""
    return database.file is None or database.file.exists()


def revisions(databases: Opened) -> dict[str, str | None]:
    """Return how far each part has come, None where it is not there."""
    found: dict[str, str | None] = {}
    for part in PARTS:
        database = databases.of(part)
        found[part.name] = None
        if is_there(database):
            with database.transaction() as connection:
                found[part.name] = part.migrations.revision(connection)
    return found
