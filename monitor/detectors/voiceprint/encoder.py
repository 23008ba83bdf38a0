"""The encoder of voices: pieces of speech in, a vector of unit length for each. Pure but for its engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from engines.base import Engine
from monitor.types import FloatArray
from monitor.voice.mel40 import mel40

VECTOR_SIZE = 256
# What is encoded in one go: more is no faster.
BATCH = 8


@dataclass(frozen=True, slots=True, eq=False)
class VoiceEncoder:
    """The pack `voice_identity`."""

    engine: Engine

    @property
    def key(self) -> str:
        """Name the weights: vectors of others are not to be compared."""
        return self.engine.manifest.version

    def __call__(self, pieces: Sequence[FloatArray]) -> FloatArray:
        """Give the vector (N, 256) of each piece (`PIECE_SAMPLES`,)."""
        found = [np.zeros((0, VECTOR_SIZE), np.float32)]
        for first in range(0, len(pieces), BATCH):
            frames = np.stack([mel40(samples) for samples in pieces[first : first + BATCH]])
            found.append(self.engine.run({"frames": frames})["embedding"])
        return np.concatenate(found)

    def through(self, wrap: Callable[[Engine], Engine]) -> VoiceEncoder:
        """Give the same with the engine wrapped."""
        return VoiceEncoder(wrap(self.engine))


def centre(vectors: FloatArray) -> FloatArray:
    """Give the direction (256,) in which vectors (N, 256), at least one, lie together."""
    mean = vectors.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-6), np.float32)
