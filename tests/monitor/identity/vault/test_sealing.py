from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.identity.vault.errors import VaultError
from monitor.identity.vault.sealing import (
    FieldCipher,
    associated_data,
    data_key_context,
    seal,
    template_context,
    unseal,
)
from tests.monitor.identity.build import NEW_KEY, OLD_KEY

PARTS = st.lists(st.text(max_size=6) | st.binary(max_size=6) | st.integers(0, 99), max_size=4)


def encoded(parts: list[str | bytes | int]) -> list[bytes]:
    return [part if isinstance(part, bytes) else str(part).encode() for part in parts]


@given(PARTS, PARTS)
def test_no_two_places_are_the_same(one: list[str | bytes | int], other: list[str | bytes | int]) -> None:
    assert (associated_data("a", *one) == associated_data("a", *other)) == (encoded(one) == encoded(other))


def test_places_hold_what_they_should() -> None:
    places = {
        template_context("a", 1, "Jane"),
        template_context("b", 1, "Jane"),
        template_context("a", 2, "Jane"),
        template_context("a", 1, "Jane "),
        template_context("a", 1, "Jane", schema=2),
        data_key_context("a", 1),
        data_key_context("a", 2),
        data_key_context("a", 1, schema=2),
    }
    assert len(places) == 8


@given(st.binary(max_size=200))
def test_sealed_and_back(data: bytes) -> None:
    sealed = seal(OLD_KEY, data, b"here")
    assert len(sealed) == len(data) + 12 + 16
    assert unseal(OLD_KEY, sealed, b"here") == data
    assert seal(OLD_KEY, data, b"here") != sealed


@given(st.integers(0, 47), st.integers(1, 255))
def test_a_changed_byte_does_not_open(at: int, by: int) -> None:
    sealed = bytearray(seal(OLD_KEY, bytes(20), b"here"))
    sealed[at] ^= by
    with pytest.raises(VaultError, match="changed or moved"):
        unseal(OLD_KEY, bytes(sealed), b"here")


def test_another_key_place_or_length_does_not_open() -> None:
    sealed = seal(OLD_KEY, b"x", b"here")
    for key, data, place in (
        (NEW_KEY, sealed, b"here"),
        (OLD_KEY, sealed, b"there"),
        (OLD_KEY, sealed[:-1], b"here"),
        (OLD_KEY, b"", b"here"),
    ):
        with pytest.raises(VaultError, match="changed or moved"):
            unseal(key, data, place)


def test_names_are_found_by_whoever_holds_the_key_only() -> None:
    names, again, others = FieldCipher(OLD_KEY), FieldCipher(OLD_KEY), FieldCipher(NEW_KEY)
    assert names.tag("Jane") == again.tag("Jane") != others.tag("Jane")
    assert names.tag("Jane") != names.tag("jane")
    assert len({names.tag("x"), names.sign(b"x")}) == 2
    sealed = names.seal({"by": "Ñandú"}, "record", "a", 1)
    assert again.unseal(sealed, "record", "a", 1) == {"by": "Ñandú"}
    for place in (("record", "a", 2), ("name", "a", 1), ("record", "b", 1)):
        with pytest.raises(VaultError):
            names.unseal(sealed, *place)
    with pytest.raises(VaultError):
        others.unseal(sealed, "record", "a", 1)
    assert repr(names) == "FieldCipher(...)"
