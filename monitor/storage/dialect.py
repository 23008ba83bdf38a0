"""What differs between the two databases, and nothing else: SQLite in a file, and PostgreSQL by psycopg.

Whoever keeps something in a database uses `monitor.storage.database` and writes its queries once, for both.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import InvalidRequestError

from engines.errors import SidewitnessError
from engines.extras import require

SQLITE, POSTGRESQL = "sqlite", "postgresql"
# FULL: in WAL mode anything less may lose the last commits at a power cut.
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
# Of libpq: a server that does not answer is given up after seconds, not after minutes. What the URL says comes first.
CONNECT_OPTIONS = {
    "connect_timeout": 3,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "application_name": "sidewitness",
}
# Who waits longer for another writer is told so; whoever begins a transaction and stops holds nobody up for long; and
# the server finds out that a machine has gone.
LOCK_SECONDS = 5.0
POOL_SECONDS = 5.0
IDLE_SECONDS = 10.0
SESSION_OPTIONS = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
# Else a commit of the last moments is lost when the server dies: whatever else may be set waits for a disk at least.
DURABLE = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
LONG_SECONDS = 1800.0
OWN_LOCKS = """
    SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND objsubid = 1
    AND (classid::bigint << 32 | objid::bigint) = :key
"""
UNREACHABLE = ("the database cannot be reached", "see that it runs and that database_url names it")
# By the beginning of the error's code (appendix A of PostgreSQL's manual); the messages quote hosts, users and values.
BY_CODE = {
    "25006": ("the database is a standby", "name the primary in database_url, or add target_session_attrs=read-write"),
    "25P03": ("a transaction took too long, and was ended", "try again"),
    "42501": ("the database refuses this user", "let it own the tables that it made"),
    "42P": ("the tables are of another version", "run `sidewitness db upgrade`"),
    "42703": ("the tables are of another version", "run `sidewitness db upgrade`"),
    "53100": ("the server's disk is full", "free space on it"),
    "53300": ("the server takes no more connections", "raise its max_connections"),
    "55P03": ("another writer holds the database", "find out who does, if it lasts"),
    "40P01": ("another writer holds the database", "find out who does, if it lasts"),
    "P0001": ("the audit log is append-only", "the audit log is not to be changed"),
    "57P": UNREACHABLE,
    "08": UNREACHABLE,
}
# Those that refuse a connection come without a code, in the server's or libpq's own words.
BY_WORDS = {
    "authentication failed": ("the database refuses the user or the password", "correct database_url"),
    "no password supplied": ("the database refuses the user or the password", "correct database_url"),
    "pg_hba.conf": ("the database does not let this user in from here", "add a line to its pg_hba.conf"),
    'database "': ("there is no such database", "create it, or correct database_url"),
    'role "': ("the database refuses the user or the password", "correct database_url"),
    "too many clients": ("the server takes no more connections", "raise its max_connections"),
    "read-only": ("the database is a standby", "name the primary in database_url"),
    "certificate": ("the certificate of the server is not the expected one", "correct sslrootcert in database_url"),
}


class UnusableUrlError(SidewitnessError):
    """An address names no database that can be used; the message says why and repeats nothing of it."""


def parse(url: str) -> sa.URL:
    """Return the address of a database with its driver; raises `UnusableUrlError`, or `MissingExtraError`."""
    try:
        parsed = sa.make_url(url)
        backend = parsed.get_backend_name()
    except (sa.exc.ArgumentError, InvalidRequestError, ValueError) as error:
        raise UnusableUrlError(type(error).__name__) from None
    if parsed.drivername in ("postgres", "postgresql"):
        parsed, backend = parsed.set(drivername="postgresql+psycopg"), POSTGRESQL
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        raise UnusableUrlError("it is neither sqlite nor postgresql+psycopg")
    if backend == POSTGRESQL:
        require("a PostgreSQL database", "postgres")
    return parsed


def make_engine(url: sa.URL, busy_seconds: float, pragmas: Sequence[str] = PRAGMAS) -> sa.Engine:
    """Return what connects to a database; in SQLite whoever writes waits `busy_seconds` for other writers."""
    if url.get_backend_name() == SQLITE:
        engine = sa.create_engine(url, connect_args={"timeout": busy_seconds}, hide_parameters=True)
        event.listen(engine, "connect", lambda connection, _record: _set_up_sqlite(connection, pragmas))
        return engine
    # Whatever the server's default is: numbers are taken under a lock, and what another commits has to be seen.
    engine = sa.create_engine(
        url,
        connect_args=_connect_options(url),
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_timeout=POOL_SECONDS,
        hide_parameters=True,
    )
    event.listen(engine, "connect", lambda connection, _record: _set_up_postgresql(connection))
    return engine


def is_sqlite(bind: sa.Engine | sa.Connection) -> bool:
    """Whether this is SQLite."""
    return bind.dialect.name == SQLITE


def lock_for_migration(connection: sa.Connection, number: int) -> None:
    """Wait until nobody else migrates the tables that `number` stands for; held until the transaction ends."""
    if is_sqlite(connection):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        return
    take_time(connection)
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({number})")


def take_time(connection: sa.Connection) -> None:
    """Let a transaction wait and be idle for minutes."""
    if not is_sqlite(connection):
        milliseconds = int(LONG_SECONDS * 1000)
        for name in ("lock_timeout", "idle_in_transaction_session_timeout"):
            connection.exec_driver_sql(f"SET LOCAL {name} = {milliseconds}")


def hold(connection: sa.Connection, heads: Sequence[str]) -> None:
    """Begin to read what nobody changes until the transaction ends; `heads` are the tables that writers write first."""
    if is_sqlite(connection):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        return
    # What is read is as it was after the lock: a lock alone asks for no picture of the database.
    connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    take_time(connection)
    connection.exec_driver_sql(f"LOCK TABLE {', '.join(heads)} IN SHARE MODE")


def try_to_write(connection: sa.Connection, column: sa.Column[int]) -> None:
    """Have the transaction write something and change nothing; fails where a row of the column could not be written.

    On PostgreSQL it takes no lock, and so may be asked by hundreds of sidecars every few seconds.
    """
    unchanged = sa.update(column.table).values({column.name: column})
    if is_sqlite(connection):
        connection.execute(unchanged)
        return
    # Refused by a standby, though it finds nothing to do; what is written is a record of the log that means nothing.
    connection.execute(unchanged.where(sa.false()))
    connection.exec_driver_sql("SELECT pg_logical_emit_message(true, 'sidewitness', '')")


def notify(connection: sa.Connection, channel: str, text: str) -> None:
    """Wake whoever listens on a channel, in every process, once the transaction is committed; nobody does on SQLite."""
    if not is_sqlite(connection):
        connection.execute(sa.select(sa.func.pg_notify(channel, text)))


async def listen(engine: sa.Engine, channel: str) -> AsyncGenerator[str, None]:
    """Give what is said on a channel of PostgreSQL, after an empty text that says that it is listened to from now on.

    Raises `OSError` where the connection cannot be made or has ended.
    """
    import psycopg

    _, options = engine.dialect.create_connect_args(engine.url)
    try:
        connection = await psycopg.AsyncConnection.connect(
            **{**_connect_options(engine.url), **options}, autocommit=True
        )
        async with connection:
            await connection.execute(f"LISTEN {channel}")
            yield ""
            async for notice in connection.notifies():
                yield notice.payload
    except psycopg.Error as error:
        raise ConnectionError(type(error).__name__) from None


def take_lock(connection: sa.Connection, name: str) -> bool:
    """Take a lock of PostgreSQL by its name for as long as this connection lasts; whether nobody else has it.

    To take it again says whether it is still there. Names are those of one schema: two installations may share a
    database.
    """
    named = "SELECT hashtextextended(current_schema() || ' sidewitness ' || :name, 0)"
    key = {"key": connection.execute(sa.text(named), {"name": name}).scalar_one()}
    if connection.execute(sa.text(OWN_LOCKS), key).scalar_one():
        return True
    return bool(connection.execute(sa.text("SELECT pg_try_advisory_lock(:key)"), key).scalar_one())


def let_go(connection: sa.Connection) -> None:
    """Free every lock that this connection has taken by name."""
    connection.execute(sa.select(sa.func.pg_advisory_unlock_all()))


def rewrite(connection: sa.Connection, tables: Sequence[str]) -> bool:
    """Write tables anew, or the whole file, without what was deleted; False where a reader is in the way."""
    if not is_sqlite(connection):
        for table in tables:
            connection.exec_driver_sql(f"VACUUM FULL {table}")
        return True
    connection.exec_driver_sql("VACUUM")
    busy, _log, _moved = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
    return not busy


def is_misdirected(error: Exception) -> bool:
    """Whether a server of PostgreSQL takes no writes: another one may be the primary now."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) == "25006"


def describe(error: Exception, sqlite: bool, advice: Mapping[str, str]) -> tuple[str, str]:
    """Return what is wrong, in words that quote no host, user or value, and what to do; `advice` is for SQLite's."""
    original = getattr(error, "orig", None)
    if sqlite:
        # Its messages are short and harmless.
        text = next(iter(str(original or "").splitlines()), "") or type(error).__name__
        return text, next((what for sign, what in advice.items() if sign in text), "check the disk and database_url")
    code = getattr(original, "sqlstate", None)
    if code is not None:
        known = (told for beginning, told in BY_CODE.items() if code.startswith(beginning))
        return next(known, (f"{type(error).__name__} {code}", "look into the server's log"))
    if isinstance(error, sa.exc.TimeoutError):
        return "every connection to the database is in use", "try again"
    if isinstance(error, sa.exc.OperationalError | OSError):
        words = str(original or "")
        return next((told for sign, told in BY_WORDS.items() if sign in words), UNREACHABLE)
    return type(error).__name__, "check database_url"


def _connect_options(url: sa.URL) -> dict[str, Any]:
    return {name: value for name, value in CONNECT_OPTIONS.items() if name not in url.query}


def _set_up_sqlite(connection: Any, pragmas: Sequence[str]) -> None:
    cursor = connection.cursor()
    for pragma in pragmas:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _set_up_postgresql(connection: Any) -> None:
    limits = {"lock_timeout": LOCK_SECONDS, "idle_in_transaction_session_timeout": IDLE_SECONDS}
    options = {**SESSION_OPTIONS, **{name: f"{int(seconds * 1000)}ms" for name, seconds in limits.items()}}
    # Within a transaction they would end with it, if that is rolled back.
    before, connection.autocommit = connection.autocommit, True
    with connection.cursor() as cursor:
        cursor.execute("; ".join(f"SET {name} = '{value}'" for name, value in options.items()))
        cursor.execute(DURABLE)
    connection.autocommit = before
