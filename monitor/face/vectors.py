"""Shots of one face after the encoders: rows of plain arrays, all of the same length. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from monitor.types import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class FaceVectors:
    """N shots of one face.

    `time` (N,) seconds; `artefacts` (N, D) pooled features of the backbone trained on pseudo-deepfakes, `logit` (N,)
    its answer (higher: more like a blend); `identity` (N, I) unit vectors, I = 0 without an identity encoder; `angles`
    (N, 3) yaw, pitch and roll in degrees; `expression` (N, E) how the face is moved, in eye distances; `condition`
    (N, C) what the picture went through (`monitor.face.condition`); `landmarks` (N, 468, 2) in 0..1 of the crop.
    """

    time: NDArray[np.float64]
    artefacts: FloatArray
    logit: FloatArray
    identity: FloatArray
    angles: FloatArray
    expression: FloatArray
    condition: FloatArray
    landmarks: NDArray[np.float16]

    def __len__(self) -> int:
        return len(self.time)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> FaceVectors:
        """Pick rows by index, mask or slice."""
        return FaceVectors(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def join(cls, parts: Sequence[FaceVectors]) -> FaceVectors:
        """Put several after each other; at least one."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))
