"""What is kept of an enrolled person's voice: a direction for each rung of the ladder of call conditions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.detectors.reference import TemplateError, pack_arrays, unpack_arrays
from monitor.detectors.voiceprint.encoder import VECTOR_SIZE
from monitor.types import FloatArray

SCHEMA = 1


@dataclass(frozen=True, slots=True, eq=False)
class VoiceReference:
    """An enrolled voice: no sound, no words.

    `key` is that of the encoder, `rungs` names the lines, `voices` (R, 256) are the directions on each, `seconds` the
    speech behind them.
    """

    key: str
    rungs: Sequence[str]
    voices: FloatArray
    seconds: float

    def nearest(self, voice: FloatArray) -> int:
        """Say on which rung the enrolled voice is most like this one (256,): which line the call is like."""
        return int(np.argmax(self.voices @ voice))

    def to_bytes(self) -> bytes:
        """Write as plain arrays, for the vault."""
        arrays: dict[str, Any] = {
            "schema": np.array(SCHEMA),
            "key": np.array(self.key),
            "rungs": np.array(list(self.rungs)),
            "voices": self.voices,
            "seconds": np.array(self.seconds),
        }
        return pack_arrays(arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> VoiceReference:
        """Read what `to_bytes` wrote; raises `TemplateError`."""
        try:
            return _read(unpack_arrays(data))
        except Exception as error:
            # A damaged archive raises whatever its parts raise.
            raise TemplateError(
                f"the voice of the reference cannot be read ({type(error).__name__}): enrol the person again"
            ) from None


def _read(arrays: Mapping[str, Any]) -> VoiceReference:
    voices = np.asarray(arrays["voices"], np.float32)
    rungs = tuple(str(name) for name in arrays["rungs"])
    if int(arrays["schema"]) != SCHEMA or voices.shape != (len(rungs), VECTOR_SIZE) or not rungs:
        raise ValueError("schema")
    return VoiceReference(str(arrays["key"]), rungs, voices, float(arrays["seconds"]))
