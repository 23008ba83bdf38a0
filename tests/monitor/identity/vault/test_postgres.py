"""The vault on a real PostgreSQL: what its own tests say on SQLite, said again there, and what is left in its files."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from monitor.identity.vault.errors import KeysError, VaultError
from monitor.identity.vault.keys import MasterKeys
from monitor.identity.vault.tables import versions
from monitor.identity.vault.vault import Vault
from tests.monitor.identity import build
from tests.monitor.identity.build import CLERK, JANE, NEW_KEY, consent, found_in, one_line, template
from tests.monitor.identity.vault.test_approval import (
    test_a_second_person_must_approve,
    test_an_enrolment_may_be_rejected,
    test_the_old_template_serves_until_the_new_one_is_approved,
)
from tests.monitor.identity.vault.test_expiry import (
    test_a_sweep_leaves_others_alone,
    test_a_sweep_of_one_version_keeps_the_other,
    test_consent_ends,
)
from tests.monitor.identity.vault.test_rotation import (
    test_it_goes_on_wherever_it_was_stopped,
    test_what_is_erased_meanwhile_stays_erased,
)
from tests.monitor.identity.vault.test_vault import (
    test_a_new_enrolment_replaces_the_template_and_keeps_the_history,
    test_it_survives_reopening,
    test_many_threads_at_once,
    test_shown_as_it_stands,
    test_what_is_stored_is_loaded_by_its_name_only,
)
from tests.postgres import Server

__all__ = (
    "test_a_new_enrolment_replaces_the_template_and_keeps_the_history",
    "test_a_second_person_must_approve",
    "test_a_sweep_leaves_others_alone",
    "test_a_sweep_of_one_version_keeps_the_other",
    "test_an_enrolment_may_be_rejected",
    "test_consent_ends",
    "test_it_goes_on_wherever_it_was_stopped",
    "test_it_survives_reopening",
    "test_many_threads_at_once",
    "test_shown_as_it_stands",
    "test_the_old_template_serves_until_the_new_one_is_approved",
    "test_what_is_erased_meanwhile_stays_erased",
    "test_what_is_stored_is_loaded_by_its_name_only",
)


@pytest.fixture(autouse=True)
def database(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """One database for every vault that a test opens, whichever folder it names."""
    monkeypatch.setattr(build, "url", lambda _folder: postgres_url)
    return postgres_url


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE vault_audit SET detail = '{}'",
        "DELETE FROM vault_audit",
        "TRUNCATE vault_audit",
        "DELETE FROM vault_audit_head",
        "UPDATE vault_audit_head SET seq = seq - 1",
        "UPDATE vault_audit_head SET seq = seq + 2",
    ],
)
def test_the_audit_log_is_append_only(opened: Vault, statement: str) -> None:
    opened.store(JANE, template(size=100), consent(), CLERK)
    with pytest.raises(VaultError, match="append-only") as caught, opened.database.transaction() as connection:
        connection.exec_driver_sql(statement)
    one_line(caught)
    assert opened.verify_audit().broken is None


def test_another_machine_needs_the_same_master_key(opened: Vault, database: str) -> None:
    other = Vault(database, MasterKeys.local(NEW_KEY))
    with pytest.raises(KeysError):
        other.open()
    other.close()


def test_what_is_erased_is_in_no_table_any_more(opened: Vault, database: str, postgres_server: Server) -> None:
    opened.store(JANE, template(3), consent(), CLERK)
    with opened.database.transaction() as connection:
        row = connection.execute(sa.select(versions.c.sealed, versions.c.wrapped)).one()
    secrets = [bytes(row.wrapped), bytes(row.sealed)[100:400]]
    name = str(sa.make_url(database).database)
    assert all(found_in(tables_of(postgres_server, name), secrets))
    assert opened.erase(JANE, CLERK).cleaned
    assert not any(found_in(tables_of(postgres_server, name), secrets))


def tables_of(server: Server, name: str) -> bytes:
    """Every byte of the files of a database, as they are after what waits was written."""
    server.sql(name, "CHECKPOINT")
    oid = server.sql(name, f"SELECT oid FROM pg_database WHERE datname = '{name}'")
    return b"".join(path.read_bytes() for path in sorted((server.folder / "data/base" / oid).iterdir()))
