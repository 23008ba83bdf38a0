"""One database: short transactions that end in a commit or in an error of one line."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from alembic.util import CommandError
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, SQLAlchemyError

from engines.errors import SidewitnessError
from monitor.storage import dialect
from monitor.storage.files import make_private
from monitor.storage.migrate import Migrations


class UnstorableError(SidewitnessError):
    """A value that the database takes in no form; to try again is of no use."""


@dataclass(frozen=True, slots=True)
class Wording:
    """How a database speaks: the class of its errors, what it is called, and what to do about SQLite's messages.

    `meanwhile` says what holds for as long as it cannot be reached.
    """

    error: type[SidewitnessError]
    noun: str
    meanwhile: str = ""
    advice: Mapping[str, str] = field(default_factory=dict)


class Database:
    """Safe to use from several threads. Raises the error of its wording, but for `IntegrityError`."""

    def __init__(
        self, url: str, wording: Wording, busy_seconds: float = 2.0, pragmas: Sequence[str] = dialect.PRAGMAS
    ) -> None:
        self._wording = wording
        try:
            self.engine = dialect.make_engine(dialect.parse(url), busy_seconds, pragmas)
        except (dialect.UnusableUrlError, SQLAlchemyError, ImportError, ValueError) as error:
            why = str(error) if isinstance(error, dialect.UnusableUrlError) else type(error).__name__
            raise wording.error(
                f"database_url cannot be used ({why}): write postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
            ) from None
        self.sqlite = dialect.is_sqlite(self.engine)
        self._rests_until = 0.0

    @property
    def file(self) -> Path | None:
        """The file that it is in, None where it is no file."""
        name = self.engine.url.database
        return Path(name) if self.sqlite and name else None

    def migrate(self, migrations: Migrations) -> None:
        """Create or migrate the tables of a part; the file is its owner's alone."""
        self.keep_private()
        with self.transaction() as connection:
            migrations.upgrade(connection)

    def keep_private(self) -> None:
        """Let nobody else read the file, if it is one."""
        if self.file is not None:
            make_private(self.file)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Commit what is done with the connection, or nothing of it."""
        try:
            with self._connected() as connection, connection.begin():
                yield connection
        except IntegrityError:
            raise
        except CommandError:
            raise self._error("was written by a newer version", "update sidewitness") from None
        except DataError:
            raise UnstorableError(f"{self._wording.noun}: the database takes no such value: report this") from None
        except (SQLAlchemyError, OSError) as error:
            # A connection that met a full or failing disk, or a server that is a standby now, is not trusted again.
            # Those to a server that went away are given up by themselves.
            if self.sqlite or dialect.is_misdirected(error):
                self.engine.dispose()
            raise self.described(error) from None

    def close(self) -> None:
        """Release the connections; the database can be used again afterwards."""
        self.engine.dispose()

    def described(self, error: Exception) -> SidewitnessError:
        """Return an error of the database in the words of this one; what was asked of it is not repeated."""
        text, advice = dialect.describe(error, self.sqlite, self._wording.advice)
        meanwhile = "" if self.sqlite or not self._wording.meanwhile else f"; {self._wording.meanwhile}"
        return self._wording.error(f"{self._wording.noun}: {text}: {advice}{meanwhile}")

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        """Connect; a server that keeps us waiting in vain is then left alone for as long as it did."""
        began_at = time.monotonic()
        if began_at < self._rests_until:
            raise OSError
        try:
            connection = self.engine.connect()
        except OperationalError:
            ended_at = time.monotonic()
            self._rests_until = ended_at + (0.0 if self.sqlite else ended_at - began_at)
            raise
        with connection:
            yield connection

    def _error(self, what: str, advice: str) -> SidewitnessError:
        return self._wording.error(f"the {self._wording.noun} {what}: {advice}")
