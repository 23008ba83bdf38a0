"""What is kept of an enrolled person: a part for each detector that learnt something, and where it came from.

A reference tells who somebody is: it is stored sealed (`monitor.identity.vault.vault`) and never logged. Each detector
writes and reads its own part; here it is bytes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from engines.errors import SidewitnessError

SCHEMA = 3
# The first two held the arrays of two detectors side by side, those of `persona` behind a prefix (the first none).
SIDE_BY_SIDE = (1, 2)
_PERSONA = "persona_"
_PART = "part_"


class TemplateError(SidewitnessError):
    """A reference cannot be built or read; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Source:
    """A recording that a reference was made from: what it was, and never what it shows."""

    sha256: str
    name: str
    seconds: float
    width: int
    height: int
    shots: int


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """An enrolled person: `made` is an RFC 3339 time, `parts` are bytes by the name of the detector that wrote them."""

    made: str
    sources: tuple[Source, ...]
    parts: Mapping[str, bytes] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Write as an .npz without pickles."""
        header = {"schema": SCHEMA, "made": self.made, "sources": [asdict(source) for source in self.sources]}
        arrays: dict[str, Any] = {_PART + name: np.frombuffer(data, np.uint8) for name, data in self.parts.items()}
        file = io.BytesIO()
        np.savez(file, about=np.array(json.dumps(header)), **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Reference:
        """Read what `to_bytes` wrote, in this version or an earlier one; raises `TemplateError`."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                return _read(dict(file))
        except Exception as error:
            # A damaged archive raises whatever its parts raise: zip, zlib, tokenizer, JSON, arrays.
            raise TemplateError(
                f"the reference cannot be read ({type(error).__name__}): enrol the person again"
            ) from None


def _read(arrays: dict[str, Any]) -> Reference:
    header = json.loads(str(arrays["about"]))
    sources = tuple(Source(**source) for source in header["sources"])
    if header["schema"] in SIDE_BY_SIDE:
        return Reference(str(header["made"]), sources, _side_by_side(arrays))
    if header["schema"] != SCHEMA:
        raise ValueError("schema")
    parts = {name.removeprefix(_PART): value.tobytes() for name, value in arrays.items() if name.startswith(_PART)}
    return Reference(str(header["made"]), sources, parts)


def _side_by_side(arrays: Mapping[str, Any]) -> dict[str, bytes]:
    """Take the parts of an earlier version apart: each detector reads the arrays that it always wrote."""
    persona = {name.removeprefix(_PERSONA): value for name, value in arrays.items() if name.startswith(_PERSONA)}
    pairwise = {name: value for name, value in arrays.items() if not name.startswith(_PERSONA)}
    return {name: pack_arrays(part) for name, part in (("pairwise", pairwise), ("persona", persona)) if part}


def pack_arrays(arrays: Mapping[str, Any]) -> bytes:
    """Write the arrays of a part as a compressed .npz without pickles."""
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def unpack_arrays(data: bytes) -> dict[str, Any]:
    """Read what `pack_arrays` wrote; raises whatever a damaged archive raises."""
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        return dict(file)
