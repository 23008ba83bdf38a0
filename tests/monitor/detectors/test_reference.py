"""A reference holds a part for each detector; those of earlier versions are taken apart."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.detectors.pairwise.reference import PairwiseReference
from monitor.detectors.parts import PartCache
from monitor.detectors.persona.detector import PersonaReference
from monitor.detectors.reference import Reference, Source, TemplateError, unpack_arrays
from tests.monitor.detectors.persona.test_detector import reference as movement
from tests.monitor.people import MADE, face, reference

SMALL = reference(shots=12).to_bytes()


def side_by_side(schema: int, **changes: Any) -> bytes:
    """A reference as versions 1 and 2 wrote it: the arrays of both detectors in one archive."""
    arrays = unpack_arrays(face().to_bytes())
    about = json.loads(str(arrays.pop("about")))
    about |= {"schema": schema, "sources": [asdict(source) for source in reference().sources]} | changes
    if schema == 2:
        arrays |= {f"persona_{name}": array for name, array in movement().arrays().items()}
    file = io.BytesIO()
    np.savez_compressed(file, about=np.array(json.dumps(about)), **arrays)
    return file.getvalue()


def test_bytes_make_the_same_reference() -> None:
    source = Source("0" * 32, "a.mp4", 60.0, 1280, 720, 40)
    made = Reference(MADE, (source,), {"pairwise": face().to_bytes(), "smile": b"\x00\xff", "empty": b""})
    again = Reference.from_bytes(made.to_bytes())
    assert (again.made, again.sources) == (made.made, made.sources)
    assert dict(again.parts) == dict(made.parts)


@pytest.mark.parametrize("schema", [1, 2])
def test_references_of_earlier_versions_are_taken_apart(schema: int) -> None:
    again = Reference.from_bytes(side_by_side(schema))
    assert (again.made, again.sources) == (MADE, reference().sources)
    found = PairwiseReference.from_bytes(again.parts["pairwise"])
    assert (found.key, found.made) == (face().key, MADE)
    assert np.array_equal(found.rungs[1].vectors.artefacts, face().rungs[1].vectors.artefacts)
    assert ("persona" in again.parts) == (schema == 2)
    if schema == 2:
        assert np.array_equal(PersonaReference.from_bytes(again.parts["persona"]).tokens, movement().tokens)


@pytest.mark.parametrize(
    "data", [b"", b"nothing of ours", b"PK\x03\x04", side_by_side(99), side_by_side(2, sources=[{}])]
)
def test_what_is_no_reference_is_refused(data: bytes) -> None:
    with pytest.raises(TemplateError, match="enrol the person again"):
        Reference.from_bytes(data)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 255))
def test_damaged_bytes_are_refused_or_read(at: int, change: int) -> None:
    data = bytearray(SMALL)
    data[at % len(data)] ^= change
    with suppress(TemplateError):
        Reference.from_bytes(bytes(data))


def test_no_pickle_is_ever_read() -> None:
    file = io.BytesIO()
    np.savez(file, about=np.array([{"schema": 1}], dtype=object))
    with pytest.raises(TemplateError):
        Reference.from_bytes(file.getvalue())


def test_a_part_is_read_once_and_one_that_cannot_be_read_is_none() -> None:
    read: list[bytes] = []

    def parse(data: bytes) -> int:
        read.append(data)
        if not data:
            raise TemplateError("damaged: enrol the person again")
        return len(data)

    cache, part = PartCache(parse), b"part"
    assert [cache.read(part), cache.read(part), cache.read(None), cache.read(b"")] == [4, 4, None, None]
    assert read == [part, b""]
