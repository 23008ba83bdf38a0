"""A schema of the benchmark's own in somebody's PostgreSQL: made before, dropped with all that is in it afterwards."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager

import sqlalchemy as sa

from monitor.lab.bench.child import BenchError
from monitor.storage import dialect
from monitor.storage.database import Database, Wording

PREFIX = "sidewitness_bench_"
_WORDING = Wording(BenchError, "database")


def check(url: str) -> None:
    """Raise `UnusableUrlError` unless this is the address of a PostgreSQL; nothing connects to it."""
    if dialect.parse(url).get_backend_name() != dialect.POSTGRESQL:
        raise dialect.UnusableUrlError(
            "it is no postgresql+psycopg, and SQLite is what everything else is measured with"
        )


@contextmanager
def own_schema(url: str) -> Iterator[str]:
    """Give the address of an empty schema of this database; raises `BenchError` where none can be made.

    What the database holds already is neither read nor written.
    """
    name = PREFIX + secrets.token_hex(6)
    with closing(Database(url, _WORDING)) as database:
        with database.transaction() as connection:
            connection.execute(sa.schema.CreateSchema(name))
        try:
            inside = dialect.parse(url).update_query_dict({"options": f"-csearch_path={name}"})
            yield inside.render_as_string(hide_password=False)
        finally:
            with database.transaction() as connection:
                connection.execute(sa.schema.DropSchema(name, cascade=True))
