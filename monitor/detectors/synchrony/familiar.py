"""Whether the sound of a window is like the speech that calibration saw: no bet is made on what lies outside of it.

What the voice encoder makes of a drum or a creaking door was never compared with genuine lips, so a score of it says
nothing. A window is described by the mean and the spread of its voice vectors over speech, and measured by its
Mahalanobis distance from genuine windows (Lee et al., NeurIPS 2018, for networks' features), along the `axes` in which
these vary most and, as one, in all others. Nothing but genuine speech is needed to make it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.types import FloatArray
from monitor.window.window import Window

FILE = "familiar.npz"


def describe_speech(window: Window) -> FloatArray:
    """Mean and standard deviation (2 * E,) of the voice vectors of a window's speech, which it must have."""
    spoken = window.voice[window.voice_mask & window.speech]
    return np.concatenate([spoken.mean(0), spoken.std(0)])


@dataclass(frozen=True, slots=True, eq=False)
class FamiliarSpeech:
    """Genuine windows of speech: `mean` (M,), `axes` (M, K) with the variance along each (K,), and that of the `rest`.

    Windows further than `limit` are unusual. `encoder` is the sha256 of the voice encoder that made the vectors.
    """

    mean: FloatArray
    axes: FloatArray
    variances: FloatArray
    rest: float
    limit: float
    encoder: str

    def distance(self, rows: FloatArray) -> NDArray[np.float64]:
        """Squared distance (n,) of descriptions (n, M) from genuine speech."""
        off = (rows - self.mean).astype(np.float64)
        along = off @ self.axes
        beside = np.maximum((off**2).sum(1) - (along**2).sum(1), 0.0)
        return np.asarray((along**2 / self.variances).sum(1) + beside / self.rest)

    def knows(self, window: Window) -> bool:
        """Whether a window that has speech sounds like genuine speech."""
        return bool(self.distance(describe_speech(window)[None])[0] <= self.limit)

    def to_bytes(self) -> bytes:
        """Write an .npz file."""
        file = io.BytesIO()
        numbers = np.array([self.rest, self.limit])
        np.savez(
            file,
            mean=self.mean,
            axes=self.axes,
            variances=self.variances,
            numbers=numbers,
            encoder=np.array(self.encoder),
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> FamiliarSpeech:
        """Read what `to_bytes` wrote; raises whatever numpy raises."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            rest, limit = arrays["numbers"]
            mean, axes, variances = (arrays[name] for name in ("mean", "axes", "variances"))
            return cls(mean, axes, variances, float(rest), float(limit), str(arrays["encoder"]))
