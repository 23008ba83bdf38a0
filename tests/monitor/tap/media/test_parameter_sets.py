"""Parameter sets from streams and from offers: the newest of each number counts, and garbage is left out."""

from __future__ import annotations

from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st

from monitor.tap.media.headers import leading_units, parameter_set_key
from monitor.tap.media.parameter_sets import ParameterSets, parse_sprop
from tests.monitor.tap.media.test_headers import SIZE, ue


def unit(kind: int, bits: str) -> bytes:
    padded = bits + "1" + "0" * (-(len(bits) + 1) % 8)
    return bytes([0x60 | kind]) + int(padded, 2).to_bytes(len(padded) // 8, "big")


def sequence_set(number: int, level: int = 31) -> bytes:
    return unit(7, f"{66:08b}{0:08b}{level:08b}" + ue(number) + ue(0) + ue(2) + SIZE)


def picture_set(number: int) -> bytes:
    return unit(8, ue(number) + ue(0))


def annex_b(*units: bytes) -> bytes:
    return b"".join(b"\0\0\0\1" + data for data in units)


SLICE = b"\x41slice"


def text(*units: bytes) -> str:
    return ",".join(b64encode(data).decode() for data in units)


def test_sets_of_an_offer_come_before_the_picture_the_sequences_first() -> None:
    sets, well_formed = parse_sprop(text(picture_set(0), sequence_set(0)))
    assert well_formed
    assert sets.before(annex_b(SLICE)) == annex_b(sequence_set(0), picture_set(0), SLICE)


def test_no_sets_are_no_error() -> None:
    assert parse_sprop("") == (ParameterSets(), True)
    assert ParameterSets().before(b"picture") == b"picture"


def test_a_set_takes_the_place_of_the_one_with_its_number() -> None:
    sets, _ = parse_sprop(text(sequence_set(0), sequence_set(1), picture_set(0)))
    newer = sets.updated(annex_b(sequence_set(0, level=40), SLICE, sequence_set(1, level=40)))
    assert newer.before(b"") == annex_b(sequence_set(0, level=40), sequence_set(1), picture_set(0))
    assert newer.updated(annex_b(SLICE)) is newer


def test_what_is_no_parameter_set_is_left_out_and_the_rest_counts() -> None:
    message, cut = unit(6, "1"), b"\x67\x42"
    sets, well_formed = parse_sprop(f"{text(sequence_set(0))},***,{text(message)},{text(cut)},")
    assert not well_formed
    assert list(sets.units.values()) == [sequence_set(0)]
    assert [parameter_set_key(data) for data in (b"", message, cut, b"\x68")] == [None] * 4


def test_no_more_is_remembered_than_a_stream_needs() -> None:
    many, well_formed = parse_sprop(text(*(picture_set(n) for n in range(40))))
    assert (len(many.units), well_formed) == (16, False)
    assert not parse_sprop(text(sequence_set(0) + bytes(600)))[1]
    newest = many.updated(annex_b(sequence_set(0), picture_set(99), SLICE))
    assert len(newest.units) == 16
    assert {(7, 0), (8, 99)} <= set(newest.units)


@given(st.text(max_size=300), st.binary(max_size=300))
def test_nothing_raises_and_everything_is_bounded(offered: str, data: bytes) -> None:
    sets, _ = parse_sprop(offered)
    sets = sets.updated(b"\0\0\1\x67" + data)
    assert len(sets.units) <= 16
    assert all(len(kept) <= 512 for kept in sets.units.values())
    assert sets.updated(sets.before(b"")) == sets
    assert len(list(leading_units(sets.before(b"")))) >= len(sets.units) - 1
