from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.identity.vault.errors import KeysError
from monitor.identity.vault.keys import LocalKeys, MasterKeys, WrappedKey, decode_keys, encode_key, key_id_of, new_key
from tests.monitor.identity.build import NEW_KEY, OLD_KEY


def test_wrapped_and_back_under_every_key_that_is_known() -> None:
    keys = MasterKeys.local(NEW_KEY, OLD_KEY)
    assert keys.current == key_id_of(NEW_KEY)
    data_key = new_key()
    for key_id, given_id in ((key_id_of(NEW_KEY), None), (key_id_of(OLD_KEY), key_id_of(OLD_KEY))):
        wrapped = keys.wrap(data_key, b"here", given_id)
        assert wrapped.key_id == key_id
        assert keys.unwrap(wrapped, b"here") == data_key
        assert data_key not in wrapped.blob


def test_no_two_wrappings_are_the_same() -> None:
    keys = MasterKeys.local(OLD_KEY)
    assert len({keys.wrap(NEW_KEY, b"").blob for _ in range(50)}) == 50


@given(st.integers(0, 59), st.integers(1, 255))
def test_a_changed_byte_does_not_open(at: int, by: int) -> None:
    keys = MasterKeys.local(OLD_KEY)
    blob = bytearray(keys.wrap(NEW_KEY, b"here").blob)
    blob[at] ^= by
    with pytest.raises(KeysError, match="changed or belongs elsewhere"):
        keys.unwrap(WrappedKey(keys.current, bytes(blob)), b"here")


def test_moved_cut_or_under_another_name_does_not_open() -> None:
    keys = MasterKeys.local(OLD_KEY, NEW_KEY)
    wrapped = keys.wrap(new_key(), b"here")
    for moved, place in (
        (wrapped, b"there"),
        (WrappedKey(wrapped.key_id, wrapped.blob[:20]), b"here"),
        (WrappedKey(wrapped.key_id, b""), b"here"),
        (WrappedKey(key_id_of(NEW_KEY), wrapped.blob), b"here"),
    ):
        with pytest.raises(KeysError, match="changed or belongs elsewhere"):
            keys.unwrap(moved, place)


def test_a_key_that_is_not_known() -> None:
    wrapped = MasterKeys.local(NEW_KEY).wrap(new_key(), b"")
    with pytest.raises(KeysError, match="not the one that sealed this vault"):
        MasterKeys.local(OLD_KEY).unwrap(wrapped, b"")


def test_keys_are_read_again_when_one_is_not_known() -> None:
    read: list[int] = []

    def reload() -> list[bytes]:
        read.append(1)
        return [NEW_KEY, OLD_KEY]

    keys = MasterKeys(LocalKeys([OLD_KEY], reload))
    assert keys.current == key_id_of(OLD_KEY)
    data_key = new_key()
    wrapped = MasterKeys.local(NEW_KEY).wrap(data_key, b"")
    assert keys.unwrap(wrapped, b"") == data_key
    assert keys.current == key_id_of(NEW_KEY)
    assert keys.unwrap(wrapped, b"") == data_key
    assert read == [1]


class Broken:
    """A key service that fails as told."""

    def __init__(self, current: object = "k") -> None:
        self._current = current

    @property
    def current(self) -> str:
        return self._current  # type: ignore[return-value]

    def wrap(self, key_id: str, key: bytes, context: bytes) -> bytes:
        raise RuntimeError("the secret is hunter2")

    def unwrap(self, key_id: str, wrapped: bytes, context: bytes) -> bytes:
        return b"short"


def test_what_a_key_service_says_is_not_repeated() -> None:
    with pytest.raises(KeysError, match="RuntimeError") as caught:
        MasterKeys(Broken()).wrap(new_key(), b"")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(KeysError, match="wrong length"):
        MasterKeys(Broken()).unwrap(WrappedKey("k", b""), b"")


@pytest.mark.parametrize("current", [None, "", "k" * 201, 7])
def test_a_key_service_that_names_no_key(current: object) -> None:
    with pytest.raises(KeysError, match="names no master key"):
        _ = MasterKeys(Broken(current)).current


def test_read_from_text() -> None:
    new, old = encode_key(NEW_KEY), encode_key(OLD_KEY)
    assert decode_keys(f"# new\n{new}\n\n{old}  # old\n") == decode_keys(f"{new},{old}") == [NEW_KEY, OLD_KEY]


@pytest.mark.parametrize("text", ["", "# nothing", "!!!", base64.b64encode(b"short").decode(), "ключ"])
def test_text_that_is_no_key_is_not_repeated(text: str) -> None:
    with pytest.raises(KeysError, match="openssl rand") as caught:
        decode_keys(text)
    assert not text or text not in str(caught.value)


def test_keys_of_a_wrong_length_or_none() -> None:
    for wrong in ([], [b"short"]):
        with pytest.raises(KeysError, match="32 bytes"):
            LocalKeys(wrong)


def test_nothing_is_printed() -> None:
    assert repr(MasterKeys.local(OLD_KEY)) == "MasterKeys(...)"
    assert repr(LocalKeys([OLD_KEY])) == "LocalKeys(...)"
