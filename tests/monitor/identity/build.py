"""What tests of the vault share: a clock to set, a vault on a file, consents, and the raw bytes of its files."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from monitor.identity.vault.consent import Consent
from monitor.identity.vault.errors import VaultError
from monitor.identity.vault.keys import MasterKeys
from monitor.identity.vault.vault import Vault

JANE, BOB = "Jane Doe", "Боб Ñandú"
CLERK, CHIEF = "clerk", "chief"
OLD_KEY, NEW_KEY = bytes(range(32)), bytes(range(32, 64))


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


def consent(expires: date | None = date(2027, 3, 1), by: str = JANE) -> Consent:
    return Consent(by, date(2026, 2, 1), expires, "protection in calls", "ab" * 32)


def template(seed: int = 0, size: int = 40_000) -> bytes:
    return random.Random(seed).randbytes(size)


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'vault.sqlite'}"


def vault(folder: Path, keys: MasterKeys | None = None, second_approver: bool = False, now: Any = None) -> Vault:
    made = Vault(url(folder), keys or MasterKeys.local(OLD_KEY), second_approver, now or Clock())
    made.open()
    return made


def one_line(error: pytest.ExceptionInfo[VaultError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert JANE not in text
    return text


def actions(opened: Vault) -> list[tuple[str, str]]:
    return [(entry.action, entry.actor) for entry in opened.audit()]


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    """Ask the database behind the vault's back."""
    database = sqlite3.connect(folder / "vault.sqlite")
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def tamper(folder: Path, *statements: str) -> None:
    """Change the database behind the vault's back, its triggers too."""
    database = sqlite3.connect(folder / "vault.sqlite")
    try:
        triggers = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in triggers:
            database.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            database.execute(statement)
        database.commit()
    finally:
        database.close()


def raw_files(folder: Path) -> bytes:
    """Every byte of every file of the database: the file, the write-ahead log, its index, what else is there."""
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.name.startswith("vault.sqlite"))


def found_in(raw: bytes, secrets: Iterable[bytes]) -> list[bool]:
    """Whether any run of 8 bytes of each secret, at any place in it, is anywhere in the raw bytes."""
    everywhere = np.append(np.sort(_runs(raw)), np.uint64(0))
    return [bool((everywhere[np.searchsorted(everywhere[:-1], runs)] == runs).any()) for runs in map(_runs, secrets)]


def _runs(data: bytes) -> NDArray[np.uint64]:
    return np.ascontiguousarray(sliding_window_view(np.frombuffer(data, np.uint8), 8)).view(np.uint64)[:, 0]
