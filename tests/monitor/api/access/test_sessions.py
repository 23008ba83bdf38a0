"""How long a session lasts, what of it lies in the database, and how many there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from monitor.api.access import sessions as module
from monitor.api.access.grant import Grant, Refusal
from monitor.api.access.roles import Role
from monitor.api.access.sessions import Beginning, Sessions, csrf_of
from tests.monitor.api.access.build import NOW, Office

ANN = Beginning("oidc:ann", Role.ANALYST, None, "eyJ.hint.of-the-provider")
IDLE, LIFETIME = 600, 3600


class Desk:
    def __init__(self, folder: Path) -> None:
        self.office = Office(folder)
        self.sessions = self.under("rules")

    def under(self, rules: str) -> Sessions:
        office = self.office
        return Sessions(office.journal, office.register, rules, IDLE, LIFETIME, office.clock)

    def later(self, seconds: int) -> None:
        self.office.clock.now += seconds


@pytest.fixture
def desk(tmp_path: Path) -> Any:
    made = Desk(tmp_path)
    yield made
    made.office.journal.close()


def test_a_session_ends_when_it_is_not_used_and_ends_at_last_however_it_is(desk: Desk) -> None:
    text, expires = desk.sessions.begin(ANN)
    idle, _ = desk.sessions.begin(ANN)
    assert expires == NOW + LIFETIME
    for _ in range(LIFETIME // 500):
        desk.later(500)
        assert desk.sessions.find(text) == Grant("oidc:ann", Role.ANALYST, None, expires)
    assert desk.sessions.find(idle) is Refusal.ENDED
    desk.later(LIFETIME % 500)
    assert desk.sessions.find(text) is Refusal.ENDED


def test_another_process_and_a_restart_know_it_and_other_rules_do_not(desk: Desk) -> None:
    text, _ = desk.sessions.begin(Beginning("oidc:jane", Role.SUBJECT, "Jane Doe"))
    found = desk.under("rules").find(text)
    assert isinstance(found, Grant)
    assert (found.identity, found.seat) == ("Jane Doe", None)
    assert desk.under("rules of now").find(text) is Refusal.ENDED
    assert desk.under("rules").end(text) is None
    assert desk.sessions.find(text) is Refusal.ENDED


def test_the_database_opens_nothing(desk: Desk, tmp_path: Path) -> None:
    text, _ = desk.sessions.begin(ANN)
    with desk.office.journal.engine.connect() as connection:
        [row] = connection.exec_driver_sql("SELECT * FROM access_sessions").mappings().all()
    stored = " ".join(str(value) for value in row.values())
    assert text not in stored
    assert ANN.hint not in stored
    assert csrf_of(text) not in stored
    assert desk.sessions.find(row["id"]) is Refusal.ENDED
    assert desk.sessions.end(text) == ANN.hint
    assert desk.sessions.end(text) is None


@pytest.mark.parametrize("text", ["", "guess", "x" * 65, "\ud800"])
def test_what_is_no_session_is_none(desk: Desk, text: str) -> None:
    assert desk.sessions.find(text) is Refusal.ENDED


def test_a_hint_that_was_changed_is_not_said(desk: Desk) -> None:
    text, _ = desk.sessions.begin(ANN)
    with desk.office.journal.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE access_sessions SET hint = ?", (b"\0" * 40,))
    assert desk.sessions.end(text) is None


def test_there_are_so_many_and_who_came_last_stays(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PER_SUBJECT", 2)
    monkeypatch.setattr(module, "MAX_SESSIONS", 3)
    other, _ = desk.sessions.begin(Beginning("oidc:bob", Role.VIEWER))
    texts = []
    for _ in range(4):
        desk.later(1)
        texts.append(desk.sessions.begin(ANN)[0])
    assert [isinstance(desk.sessions.find(text), Grant) for text in (other, *texts)] == [True, False, False, True, True]
    desk.later(1)
    desk.sessions.begin(Beginning("oidc:eve", Role.VIEWER))
    assert desk.sessions.find(other) is Refusal.ENDED
    assert len(desk.sessions.list()) == 3
    desk.later(IDLE)
    assert desk.sessions.list() == []
    desk.sessions.begin(ANN)
    with desk.office.journal.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM access_sessions").scalar() == 1


def test_sessions_of_a_tenant_are_listed_and_ended_by_that_tenant_alone(desk: Desk) -> None:
    acme, own = desk.sessions.of("acme"), desk.sessions
    theirs, _ = own.begin(Beginning("oidc:bob", Role.ADMIN, tenant="acme"))
    ours, _ = own.begin(ANN)
    found = own.find(theirs)
    assert isinstance(found, Grant)
    assert found.tenant == "acme"
    [listed] = acme.list()
    assert listed["subject"] == "oidc:bob"
    assert [row["subject"] for row in own.list()] == ["oidc:ann"]
    assert not own.revoke(listed["id"])
    assert not acme.revoke(own.list()[0]["id"])
    assert isinstance(own.find(ours), Grant)
    assert acme.revoke(listed["id"])
    assert own.find(theirs) is Refusal.ENDED


def test_a_session_of_before_there_were_tenants_is_the_default_ones(desk: Desk) -> None:
    text, _ = desk.sessions.begin(ANN)
    with desk.office.journal.transaction() as connection:
        connection.exec_driver_sql("UPDATE access_sessions SET tenant = NULL")
    found = desk.sessions.find(text)
    assert isinstance(found, Grant)
    assert found.tenant == "default"
    assert len(desk.sessions.list()) == 1
    assert desk.sessions.of("acme").list() == []
