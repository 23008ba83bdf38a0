"""Leases: which of several processes on one database does what must be done once, such as delivering to a sink.

A lease lasts as long as whoever has it: PostgreSQL frees it when the connection ends that took it, the system when the
process ends that locked the file. No clock decides, and nothing has to be renewed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import threading
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from monitor.storage.database import Database
from monitor.storage.dialect import let_go, take_lock


class Leases:
    """The leases of one holder, by name; synchronous, safe to use from several threads.

    On PostgreSQL they are taken through a connection of their own. Who has one is asked at each use: a lease that was
    lost with its connection may be somebody else's meanwhile.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._connection: sa.Connection | None = None
        self._files: dict[str, int] = {}

    def take(self, name: str) -> bool:
        """Take a lease, or see that it is still ours; False where another holder has it, or nobody can be asked."""
        with self._lock:
            if not self._database.sqlite:
                return self._take_of_server(name)
            file = self._database.file
            return file is None or name in self._files or self._take_file(file, name)

    def release(self) -> None:
        """Let go of every lease."""
        with self._lock:
            if self._connection is not None:
                # At once: the server notices the end of a connection a moment later.
                with contextlib.suppress(SQLAlchemyError, OSError):
                    let_go(self._connection)
            self._drop_connection()
            while self._files:
                os.close(self._files.popitem()[1])

    def _take_of_server(self, name: str) -> bool:
        # A connection that has ended since says nothing of who has the lease now: the second one does.
        for _attempt in range(2):
            try:
                if self._connection is None:
                    engine = self._database.engine
                    self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
                    # Out of the pool: nobody else is given a connection that holds leases.
                    self._connection.detach()
                return take_lock(self._connection, name)
            except (SQLAlchemyError, OSError):
                self._drop_connection()
        return False

    def _drop_connection(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            try:
                connection.close()
            except SQLAlchemyError:
                # It was broken before.
                connection.invalidate()

    def _take_file(self, file: Path, name: str) -> bool:
        # A name of a sink may be longer than one of a file.
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        path = file.with_name(f"{file.name}.lease-{digest}")
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._files[name] = descriptor
        return True
