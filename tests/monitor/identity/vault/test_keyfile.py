from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from monitor.config import Settings
from monitor.identity.vault.errors import KeysError
from monitor.identity.vault.keyfile import FileKeys, key_service, load_keys, read_keys
from monitor.identity.vault.keys import LocalKeys, MasterKeys, encode_key, key_id_of, new_key
from tests.monitor.identity.build import NEW_KEY, OLD_KEY


def test_made_when_it_is_first_asked_for_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    keys = MasterKeys(FileKeys(path))
    assert not path.exists()
    current = keys.current
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [key_id_of(key) for key in read_keys(path)] == [current] == [MasterKeys(FileKeys(path)).current]
    assert [found.name for found in tmp_path.iterdir()] == ["vault.key"]


def test_of_many_that_start_at_once_all_have_the_same_key(tmp_path: Path) -> None:
    found: list[str] = []
    gate = threading.Barrier(8)

    def start() -> None:
        keys = FileKeys(tmp_path / "vault.key")
        gate.wait()
        found.append(keys.current)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_key_that_is_lost_is_not_made_anew_to_open_something(tmp_path: Path) -> None:
    wrapped = MasterKeys.local(OLD_KEY).wrap(new_key(), b"")
    keys = MasterKeys(FileKeys(tmp_path / "vault.key"))
    with pytest.raises(KeysError, match="restore"):
        keys.unwrap(wrapped, b"")
    with pytest.raises(KeysError, match="restore"):
        keys.wrap(new_key(), b"", key_id_of(OLD_KEY))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("text", "mode", "says"), [("", 0o600, "Base64"), ("x", 0o644, "chmod 600")])
def test_files_that_are_refused(tmp_path: Path, text: str, mode: int, says: str) -> None:
    path = tmp_path / "vault.key"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(KeysError, match=says):
        read_keys(path)


def test_a_mounted_secret_is_a_link_that_its_group_may_read(tmp_path: Path) -> None:
    path = tmp_path / "..data"
    path.write_text(encode_key(OLD_KEY))
    path.chmod(0o440)
    (tmp_path / "vault.key").symlink_to(path)
    assert read_keys(tmp_path / "vault.key") == [OLD_KEY]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="SIDEWITNESS_VAULT_KEY_FILE"):
        _ = MasterKeys(FileKeys(tmp_path / "absent" / "vault.key")).current


def test_a_rotation_has_both_keys_and_leaves_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    service = FileKeys(path)
    old = service.current
    with service.rotating():
        new = service.current
        assert [key_id_of(key) for key in read_keys(path)] == [new, old]
    assert [key_id_of(key) for key in read_keys(path)] == [new] == [service.current]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_rotation_that_failed_goes_on_with_the_same_keys(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    service = FileKeys(path)
    old = service.current
    with pytest.raises(RuntimeError), service.rotating():  # noqa: PT012 - what is raised is ours
        new = service.current
        raise RuntimeError
    assert [key_id_of(key) for key in read_keys(path)] == [new, old]
    with FileKeys(path).rotating():
        assert [key_id_of(key) for key in read_keys(path)] == [new, old]
    assert [key_id_of(key) for key in read_keys(path)] == [new]


def test_two_rotations_at_once_are_refused(tmp_path: Path) -> None:
    service = FileKeys(tmp_path / "vault.key")
    assert service.current
    with service.rotating(), pytest.raises(KeysError, match="another rotation"), FileKeys(service.path).rotating():
        pytest.fail("a second rotation began")


def test_a_rotation_needs_a_folder_to_write_in(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="where the key file is kept"), FileKeys(tmp_path / "absent" / "key").rotating():
        pytest.fail("it began")


def test_another_process_sees_the_new_key(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    here, elsewhere = FileKeys(path), FileKeys(path)
    assert here.current == elsewhere.current
    with elsewhere.rotating():
        pass
    data_key = new_key()
    sealed = here.wrap(elsewhere.current, data_key, b"")
    assert elsewhere.unwrap(elsewhere.current, sealed, b"") == data_key


def service_made() -> LocalKeys:
    """What `vault_kms` names in these tests."""
    return LocalKeys([NEW_KEY])


def service_fails() -> LocalKeys:
    raise RuntimeError("hunter2")


def test_where_the_settings_say(tmp_path: Path) -> None:
    given = f"{encode_key(NEW_KEY)},{encode_key(OLD_KEY)}"
    assert load_keys(Settings(state_dir=tmp_path, vault_key=given)).current == key_id_of(NEW_KEY)
    hook = Settings(state_dir=tmp_path, vault_kms=f"{__name__}:service_made")
    assert load_keys(hook).current == key_id_of(NEW_KEY)
    service = key_service(Settings(state_dir=tmp_path))
    assert isinstance(service, FileKeys)
    assert service.path == tmp_path / "vault.key"
    service = key_service(Settings(state_dir=tmp_path, vault_key_file=tmp_path / "elsewhere"))
    assert isinstance(service, FileKeys)
    assert service.path == tmp_path / "elsewhere"
    assert repr(service) == "FileKeys(...)"


@pytest.mark.parametrize("name", ["no.such.module:keys", f"{__name__}:absent", f"{__name__}:service_fails"])
def test_a_hook_that_cannot_be_used(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeysError, match="MODULE:FUNCTION") as caught:
        load_keys(Settings(state_dir=tmp_path, vault_kms=name))
    assert "hunter2" not in str(caught.value)
