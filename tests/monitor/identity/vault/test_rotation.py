from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config import Settings
from monitor.identity.vault import rotation
from monitor.identity.vault.errors import KeysError, VaultError
from monitor.identity.vault.keyfile import FileKeys, read_keys
from monitor.identity.vault.keys import LocalKeys, MasterKeys, encode_key, key_id_of
from monitor.identity.vault.open import open_vault, rotate
from monitor.identity.vault.vault import Vault
from tests.monitor.identity.build import (
    BOB,
    CLERK,
    JANE,
    NEW_KEY,
    OLD_KEY,
    consent,
    found_in,
    raw_files,
    rows,
    template,
    url,
    vault,
)  # fmt: skip

WRAPPED = "SELECT wrapped FROM vault_versions WHERE wrapped IS NOT NULL UNION ALL SELECT wrapped FROM vault_names_key"
BOTH = (NEW_KEY, OLD_KEY)


def people(opened: Vault, count: int = 3) -> dict[str, bytes]:
    held = {f"person {number}": template(number, 500) for number in range(count)}
    for name, data in held.items():
        opened.store(name, data, consent(), CLERK)
    return held


def test_everything_opens_with_the_new_key_and_nothing_with_the_old(tmp_path: Path) -> None:
    opened = vault(tmp_path)
    held = people(opened)
    before = [blob for (blob,) in rows(tmp_path, WRAPPED)]
    assert opened.rotate(MasterKeys.local(*BOTH), CLERK) == len(held) + 1
    assert opened.master_key_ids() == {key_id_of(NEW_KEY)}
    assert {name: opened.load(name) for name in held} == held
    # A backup that is older than the rotation needs the old key; these files have nothing that it opens.
    assert not any(found_in(raw_files(tmp_path), before))
    assert opened.audit()[-1].action == "key_rotated"
    assert opened.verify_audit().broken is None
    assert opened.rotate(MasterKeys.local(*BOTH), CLERK) == 0
    opened.close()
    again = vault(tmp_path, MasterKeys.local(NEW_KEY))
    assert {name: again.load(name) for name in held} == held
    again.close()
    old = Vault(url(tmp_path), MasterKeys.local(OLD_KEY))
    with pytest.raises(KeysError):
        old.open()
    old.close()


class Dies(LocalKeys):
    """Keys that stop wrapping after some, as a process does that is killed there."""

    def __init__(self, after: int) -> None:
        super().__init__(BOTH)
        self._left = after

    def wrap(self, key_id: str, key: bytes, context: bytes) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise RuntimeError
        return super().wrap(key_id, key, context)


@pytest.mark.parametrize("after", range(5))
def test_it_goes_on_wherever_it_was_stopped(tmp_path: Path, after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "BATCH_KEYS", 1)
    opened = vault(tmp_path)
    held = people(opened, 4)
    with pytest.raises(KeysError):
        opened.rotate(MasterKeys(Dies(after)), CLERK)
    opened.close()
    expected = {key_id_of(OLD_KEY)} | ({key_id_of(NEW_KEY)} if after else set())
    both = vault(tmp_path, MasterKeys.local(*BOTH))
    assert both.master_key_ids() == expected
    assert {name: both.load(name) for name in held} == held
    # What is enrolled in the middle of it is wrapped with the key that the vault is at.
    both.store(JANE, template(9), consent(), CLERK)
    assert both.rotate(actor=CLERK) > 0
    assert both.master_key_ids() == {key_id_of(NEW_KEY)}
    assert both.load(JANE) == template(9)
    assert {name: both.load(name) for name in held} == held
    both.close()


def test_what_is_erased_meanwhile_stays_erased(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, elsewhere = vault(tmp_path), vault(tmp_path)
    people(opened, 2)
    rewrap = rotation._rewrap

    def meanwhile(*arguments: object) -> object:
        if elsewhere.show("person 1") is not None and opened.master_key_ids() != {key_id_of(OLD_KEY)}:
            elsewhere.erase("person 1", CLERK)
        return rewrap(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(rotation, "_rewrap", meanwhile)
    assert opened.rotate(MasterKeys.local(*BOTH), CLERK) == 2
    assert [info.name for info in opened.list()] == ["person 0"]
    opened.close()
    elsewhere.close()


def test_an_enrolment_that_meets_a_rotation_uses_the_new_key(tmp_path: Path) -> None:
    opened = vault(tmp_path, MasterKeys.local(OLD_KEY, NEW_KEY))
    elsewhere = vault(tmp_path)
    wrap = opened._keys.wrap
    rotated: list[int] = []

    def meanwhile(*arguments: object) -> object:
        if not rotated:
            rotated.append(elsewhere.rotate(MasterKeys.local(*BOTH), CLERK))
        return wrap(*arguments)  # type: ignore[arg-type]

    opened._keys.wrap = meanwhile  # type: ignore[method-assign, assignment]
    opened.store(JANE, template(), consent(), CLERK)
    assert rotated == [1]
    assert opened.master_key_ids() == {key_id_of(NEW_KEY)}
    assert elsewhere.load(JANE) == template()
    opened.close()
    elsewhere.close()


def test_with_a_key_file_while_a_server_runs(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    server, here = open_vault(settings), open_vault(settings)
    server.store(JANE, template(), consent(), CLERK)
    (old,) = read_keys(tmp_path / "vault.key")
    assert rotate(settings, here, CLERK) == 2
    (new,) = read_keys(tmp_path / "vault.key")
    assert new != old
    assert server.load(JANE) == template()
    server.store(BOB, template(1), consent(), CLERK)
    assert here.load(BOB) == template(1)
    assert here.master_key_ids() == {key_id_of(new)}
    server.close()
    here.close()


def test_both_keys_are_kept_while_one_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(state_dir=tmp_path)
    opened = open_vault(settings)
    monkeypatch.setattr(Vault, "master_key_ids", lambda _: {"old", "new"})
    with pytest.raises(KeysError, match="run it again"):
        rotate(settings, opened, CLERK)
    assert len(read_keys(tmp_path / "vault.key")) == 2
    monkeypatch.undo()
    assert rotate(settings, opened, CLERK) == 0
    assert len(read_keys(tmp_path / "vault.key")) == 1
    opened.close()


def test_with_keys_of_the_environment(tmp_path: Path) -> None:
    old = Settings(state_dir=tmp_path, vault_key=encode_key(OLD_KEY))
    opened = open_vault(old)
    opened.store(JANE, template(), consent(), CLERK)
    assert rotate(old, opened, CLERK) == 0
    opened.close()
    given = ",".join(map(encode_key, BOTH))
    both = Settings(state_dir=tmp_path, vault_key=given)
    opened = open_vault(both)
    # A server with both keys goes on with the old one until the rotation.
    opened.store(BOB, template(1), consent(), CLERK)
    assert opened.master_key_ids() == {key_id_of(OLD_KEY)}
    assert rotate(both, opened, CLERK) == 3
    opened.close()
    opened = open_vault(Settings(state_dir=tmp_path, vault_key=encode_key(NEW_KEY)))
    assert (opened.load(JANE), opened.load(BOB)) == (template(), template(1))
    opened.close()
    assert not (tmp_path / "vault.key").exists()


class Elsewhere:
    """A key service that holds its keys itself, as a KMS does, and binds the context in its own way."""

    named = "arn:key/1"

    def __init__(self) -> None:
        self.kept: dict[bytes, tuple[str, bytes, bytes]] = {}

    @property
    def current(self) -> str:
        return self.named

    def wrap(self, key_id: str, key: bytes, context: bytes) -> bytes:
        handle = f"{key_id} has {len(self.kept)}".encode()
        self.kept[handle] = key_id, key, context
        return handle

    def unwrap(self, key_id: str, wrapped: bytes, context: bytes) -> bytes:
        known, key, bound = self.kept[wrapped]
        if (known, bound) != (key_id, context):
            raise PermissionError
        return key


SERVICE = Elsewhere()


def service() -> Elsewhere:
    """What `vault_kms` names in this test."""
    return SERVICE


def test_with_a_key_service(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, vault_kms=f"{__name__}:service")
    opened = open_vault(settings)
    held = people(opened)
    SERVICE.named = "arn:key/2"
    opened.store(JANE, template(9), consent(), CLERK)
    assert opened.master_key_ids() == {"arn:key/1"}
    assert rotate(settings, opened, CLERK) == len(held) + 2
    assert opened.master_key_ids() == {"arn:key/2"}
    assert {name: opened.load(name) for name in held} == held
    SERVICE.kept.clear()
    with pytest.raises(KeysError, match=r"key service failed \(KeyError\)"):
        opened.load(JANE)
    opened.close()
    assert not (tmp_path / "vault.key").exists()


def test_a_vault_that_cannot_be_opened_is_closed(tmp_path: Path) -> None:
    opened = open_vault(Settings(state_dir=tmp_path))
    opened.close()
    (tmp_path / "vault.key").unlink()
    with pytest.raises(VaultError, match="restore the vault's key file"):
        open_vault(Settings(state_dir=tmp_path))
    assert not (tmp_path / "vault.key").exists()
    assert FileKeys(tmp_path / "vault.key").current.startswith("local-")
    with pytest.raises(KeysError, match="not the one that sealed"):
        open_vault(Settings(state_dir=tmp_path))
