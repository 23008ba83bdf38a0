"""Files of a SQLite database that are for their owner alone, wherever they lie."""

from __future__ import annotations

import contextlib
from pathlib import Path

# The database, its write-ahead log and the log's index, its rollback journal.
SUFFIXES = ("", "-wal", "-shm", "-journal")
PRIVATE = 0o600


def make_private(path: Path) -> None:
    """Make a database's file and what lies beside it readable for its owner only; makes the file where it is absent.

    Call it before the database is opened: SQLite gives the files beside it the mode that the file has then.
    """
    with contextlib.suppress(OSError):
        path.touch(mode=PRIVATE)
    for suffix in SUFFIXES:
        with contextlib.suppress(OSError):
            path.with_name(path.name + suffix).chmod(PRIVATE)
