"""The one-euro filter (Casiez, Roussel and Vogel 2012): steady when still, prompt when moving."""

from __future__ import annotations

import numpy as np

from monitor.types import FloatArray


class OneEuro:
    """Filters arrays of one shape in time.

    `min_cutoff` and `derivative_cutoff` are in Hz; `beta` raises the cutoff by so many Hz for each unit of speed, which
    is measured in multiples of `scale` a second.
    """

    def __init__(self, min_cutoff: float = 1.0, beta: float = 8.0, derivative_cutoff: float = 1.0) -> None:
        self._min_cutoff = min_cutoff
        self._beta = beta
        self._derivative_cutoff = derivative_cutoff
        self._time: float | None = None
        self._value: FloatArray | None = None
        self._speed: FloatArray | None = None

    def __call__(self, value: FloatArray, time: float, scale: float = 1.0) -> FloatArray:
        """Filter the value at `time` seconds; a time that does not advance returns the last value."""
        if self._time is None or self._value is None or self._speed is None:
            self._time, self._value, self._speed = time, value, np.zeros_like(value)
            return value
        step = time - self._time
        if step <= 0:
            return self._value
        raw = (value - self._value) / (step * scale)
        weight = _weight(self._derivative_cutoff, step)
        self._speed = (weight * raw + (1 - weight) * self._speed).astype(np.float32)
        cutoff = self._min_cutoff + self._beta * float(np.add.reduce(np.abs(self._speed), None)) / self._speed.size
        weight = _weight(cutoff, step)
        self._value = (weight * value + (1 - weight) * self._value).astype(np.float32)
        self._time = time
        return self._value


def _weight(cutoff: float, step: float) -> float:
    rate = 2 * np.pi * cutoff * step
    return float(rate / (rate + 1))
