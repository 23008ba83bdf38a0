"""Sessions see what the vault holds now: enrolled anew, erased, expired, unreadable."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.detectors.reference import Reference
from monitor.identity.vault.registry import Identities
from monitor.identity.vault.vault import Vault
from tests.monitor import people
from tests.monitor.identity import build
from tests.monitor.identity.build import BOB, CHIEF, CLERK, JANE


def sealed(vault: Vault, person: int = 0, name: str = JANE) -> bytes:
    data = people.reference(person).to_bytes()
    vault.store(name, data, build.consent(), CLERK)
    return data


def same(found: Reference | None, data: bytes) -> bool:
    return found is not None and found.to_bytes() == data


def test_a_lookup_follows_the_vault(tmp_path: Path) -> None:
    vault = build.vault(tmp_path)
    look = Identities(vault).lookup(JANE)
    assert look() is None
    first = sealed(vault)
    found = look()
    assert same(found, first)
    assert look() is found
    second = sealed(vault, person=1)
    assert same(look(), second)
    sealed(vault, name=BOB)
    assert same(look(), second)
    vault.erase(JANE, CLERK)
    assert look() is None
    assert Identities(vault).reference(JANE) is None
    assert Identities(vault).reference(BOB) is not None


def test_an_erasure_by_another_process_is_seen(tmp_path: Path) -> None:
    vault, other = build.vault(tmp_path), build.vault(tmp_path)
    sealed(vault)
    look = Identities(vault).lookup(JANE)
    assert look() is not None
    other.erase(JANE, CLERK)
    assert look() is None


def test_what_waits_for_approval_is_not_compared(tmp_path: Path) -> None:
    vault = build.vault(tmp_path, second_approver=True)
    look = Identities(vault).lookup(JANE)
    sealed(vault)
    assert look() is None
    vault.approve(JANE, CHIEF)
    assert look() is not None


def test_an_unreadable_reference_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = build.vault(tmp_path)
    vault.store(JANE, b"not a reference", build.consent(), CLERK)
    look, opened = Identities(vault).lookup(JANE), list[str]()
    load = Vault.load

    def counted(self: Vault, name: str) -> bytes | None:
        opened.append(name)
        return load(self, name)

    monkeypatch.setattr(Vault, "load", counted)
    assert look() is None
    assert look() is None
    assert opened == [JANE]


def test_an_erasure_between_asking_and_opening_is_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = build.vault(tmp_path)
    sealed(vault)
    monkeypatch.setattr(Vault, "load", lambda self, name: None)
    assert Identities(vault).reference(JANE) is None


def test_a_vault_that_cannot_be_asked_has_nobody(tmp_path: Path) -> None:
    vault = build.vault(tmp_path)
    sealed(vault)
    look = Identities(vault).lookup(JANE)
    assert look() is not None
    for table in [name for (name,) in build.rows(tmp_path, "SELECT name FROM sqlite_master WHERE type = 'table'")]:
        if not table.startswith(("sqlite_", "alembic")):
            build.tamper(tmp_path, "PRAGMA foreign_keys = OFF", f"DROP TABLE {table}")
    assert look() is None
    assert Identities(vault).resembled("J\u0430ne Doe") is None


def test_a_claim_that_looks_like_an_enrolled_name_is_compared_with_that_person(tmp_path: Path) -> None:
    vault = build.vault(tmp_path)
    data, lookalike = sealed(vault), "J\u0430ne Doe"
    assert same(Identities(vault).lookup(lookalike)(), data)
    # Who is enrolled under such a name is that person.
    other = sealed(vault, person=1, name=lookalike)
    assert same(Identities(vault).lookup(lookalike)(), other)
    assert Identities(vault).resembled(lookalike) is None
    assert Identities(vault).resembled("Jane D\u043ee") == JANE
    assert Identities(vault).resembled("Jane D\u043ee", claimed=JANE) == lookalike
