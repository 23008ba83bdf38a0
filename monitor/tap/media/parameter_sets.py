"""Parameter sets of an H.264 stream, whether they come in the stream or only in its SDP.

Pure; no input makes it raise.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from monitor.tap.media.headers import leading_units, parameter_set_key

_START_CODE = b"\0\0\0\1"
_MAX_SETS = 16
_MAX_SET_BYTES = 512


@dataclass(frozen=True, slots=True)
class ParameterSets:
    """NAL units by type and number; at most 16 of at most 512 bytes are remembered."""

    units: Mapping[tuple[int, int], bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, units: Iterable[bytes]) -> ParameterSets:
        """Take those of some NAL units that are parameter sets; of several with one number, the last."""
        keyed = ((parameter_set_key(unit), unit) for unit in units if len(unit) <= _MAX_SET_BYTES)
        sets = {key: unit for key, unit in keyed if key is not None}
        return cls(dict(list(sets.items())[:_MAX_SETS]))

    def updated(self, data: bytes) -> ParameterSets:
        """Take the parameter sets of an encoded picture in place of those with the same numbers."""
        new = ParameterSets.of(leading_units(data)).units
        if not new:
            return self
        others = {key: unit for key, unit in self.units.items() if key not in new}
        return ParameterSets(dict(list({**new, **others}.items())[:_MAX_SETS]))

    def before(self, data: bytes) -> bytes:
        """Put the sets before a picture, the sequence's first; the picture's own come after them and count."""
        return b"".join(_START_CODE + self.units[key] for key in sorted(self.units)) + data


def parse_sprop(text: str) -> tuple[ParameterSets, bool]:
    """Parse `sprop-parameter-sets` (RFC 6184 section 8.1); returns them, and whether nothing of it was malformed.

    What is malformed, too long or one too many is left out.
    """
    parts = text.split(",") if text else []
    units = [_decode(part) for part in parts]
    sets = ParameterSets.of(unit for unit in units if unit is not None)
    return sets, len(sets.units) == len(parts)


def _decode(text: str) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
