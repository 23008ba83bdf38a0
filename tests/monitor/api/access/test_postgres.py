"""Tokens and sessions on a real PostgreSQL: what their own tests say on SQLite, said again there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.alerts.journal import Journal
from tests.monitor.api.access import build
from tests.monitor.api.access.build import Office
from tests.monitor.api.access.test_sessions import (
    Desk,
    test_a_session_ends_when_it_is_not_used_and_ends_at_last_however_it_is,
    test_another_process_and_a_restart_know_it_and_other_rules_do_not,
    test_there_are_so_many_and_who_came_last_stays,
    test_what_is_no_session_is_none,
)
from tests.monitor.api.access.test_verifiers import (
    test_a_signed_token_is_good_until_it_ends,
    test_nobody_is_taken_on_trust_while_the_register_cannot_be_read,
    test_tokens_that_ended_long_ago_are_forgotten,
)
from tests.postgres import Server

__all__ = (
    "test_a_session_ends_when_it_is_not_used_and_ends_at_last_however_it_is",
    "test_a_signed_token_is_good_until_it_ends",
    "test_another_process_and_a_restart_know_it_and_other_rules_do_not",
    "test_nobody_is_taken_on_trust_while_the_register_cannot_be_read",
    "test_there_are_so_many_and_who_came_last_stays",
    "test_tokens_that_ended_long_ago_are_forgotten",
    "test_what_is_no_session_is_none",
)


@pytest.fixture
def journals(postgres_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    url = postgres_server.migrated_database()
    monkeypatch.setattr(build, "ready_journal", lambda _folder: Journal(url))


@pytest.fixture
def office(journals: None, tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.journal.close()


@pytest.fixture
def desk(journals: None, tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.office.journal.close()


def test_whoever_is_revoked_elsewhere_is_so_at_once(office: Office) -> None:
    token_id = str(office.claims("id-9")["jti"])
    assert office.register.stands(token_id)
    elsewhere = Office.__new__(Office)
    elsewhere.__dict__ |= office.__dict__
    assert elsewhere.register.revoke(token_id, "root", build.NOW)
    assert not office.register.stands(token_id)
