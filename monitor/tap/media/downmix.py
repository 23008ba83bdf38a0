"""Several channels to one without losing the voice: the usual sum, or the loudest channel where the sum cancels it.

A balanced microphone on a stereo input (right is minus left) is silence in the sum, and a voice on one channel of six
is 10 to 14 dB weaker in it. Energies are followed over half a second of sound, so a choice does not hang on one
syllable; two thresholds keep it from going to and fro, and a change is faded, so that it makes no click. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.types import FloatArray

_MEMORY_SECONDS = 0.5
# Before so much sound was heard the sum is taken.
_FIRST_SECONDS = 0.1
_FADE_SECONDS = 0.02
# Mean square below which nothing is heard: -70 dB of full scale.
_SILENCE = 1e-7
# Energy of the sum against the loudest channel: two channels that have nothing in common give 0.5, one of two 0.25.
_LOST, _REGAINED = 0.32, 0.45
# Another channel takes over from 6 dB on.
_LOUDER = 4.0
# FFmpeg's own matrix to mono (`swresample/rematrix.c`), scaled to a sum of 1.
_WEIGHTS = {"FC": 1.0, "FL": 0.5**0.5, "FR": 0.5**0.5, "LFE": 0.0, "LFE2": 0.0}
_OTHER_WEIGHT = 0.5


class Downmix:
    """Mixes the blocks of one stream of several channels, in order; `names` are FFmpeg's names of the channels."""

    def __init__(self, names: Sequence[str]) -> None:
        weights = np.array([_WEIGHTS.get(name, _OTHER_WEIGHT) for name in names], np.float64)
        self._sum: FloatArray = (weights / max(float(weights.sum()), 1.0)).astype(np.float32)
        self._channel: int | None = None
        self._heard_seconds = 0.0
        self._energies: NDArray[np.float64] = np.zeros(len(names))
        self._sum_energy = 0.0

    @property
    def channel(self) -> int | None:
        """The channel that is taken alone, None while all are summed."""
        return self._channel

    def loses_voice(self, samples: FloatArray, seconds: float) -> bool:
        """Hear `samples` (C, N) in the name of the last `seconds`, and say whether the sum would lose what is in them.

        Who sums by other means until it does, and mixes from then on, need not look at every block.
        """
        self._measure(samples, seconds)
        return self._choose() is not None

    def mix(self, samples: FloatArray, rate: int) -> FloatArray:
        """Return one channel (N,) of `samples` (C, N), float32 at `rate` Hz."""
        self._measure(samples, samples.shape[1] / rate)
        channel, self._channel = self._channel, self._choose()
        mixed: FloatArray = self._sum @ samples if self._channel is None else samples[self._channel]
        if channel == self._channel:
            return mixed
        before = self._sum @ samples if channel is None else samples[channel]
        length = min(samples.shape[1], max(round(_FADE_SECONDS * rate), 1))
        new = np.linspace(0.0, 1.0, length, dtype=np.float32)
        faded = mixed.copy()
        faded[:length] = new * mixed[:length] + (1 - new) * before[:length]
        return faded

    def _measure(self, samples: FloatArray, seconds: float) -> None:
        # One product gives the energy of every channel and that of their sum.
        together = (samples @ samples.T).astype(np.float64) / max(samples.shape[1], 1)
        energies = together.diagonal()
        if not _SILENCE <= float(energies.max()) < np.inf or not np.isfinite(together).all():
            return
        old = float(np.exp(-seconds / _MEMORY_SECONDS))
        self._heard_seconds += seconds
        self._energies = old * self._energies + (1 - old) * energies
        self._sum_energy = old * self._sum_energy + (1 - old) * float(self._sum @ together @ self._sum)

    def _choose(self) -> int | None:
        if self._heard_seconds < _FIRST_SECONDS:
            return None
        loudest = int(np.argmax(self._energies))
        share = self._sum_energy / self._energies[loudest]
        if self._channel is None:
            return loudest if share < _LOST else None
        if share > _REGAINED:
            return None
        return loudest if self._energies[loudest] > _LOUDER * self._energies[self._channel] else self._channel
