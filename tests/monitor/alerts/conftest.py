"""What tests of the journal share: one of each kind of database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.monitor.alerts.build import ready_journal
from tests.postgres import Server


@pytest.fixture(params=["sqlite", "postgresql"])
def journal_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A journal of each kind."""
    if request.param == "sqlite":
        made = ready_journal(tmp_path)
        made.close()
        return f"sqlite:///{tmp_path / 'journal.sqlite'}"
    server: Server = request.getfixturevalue("postgres_server")
    return server.migrated_database()
