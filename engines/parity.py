"""Comparison of engines: the same seeded inputs through two of them, and how far their outputs lie apart."""

from __future__ import annotations

import numpy as np

from engines.base import Arrays, Engine, FloatArray, Manifest, example_length

TOLERANCE = 1e-3


def seeded(manifest: Manifest, batch: int = 2, seed: int = 0, length: int | None = None) -> dict[str, FloatArray]:
    """Make uniform inputs in the manifest's `preprocessing.range` (default -1 to 1), the same for the same seed.

    Free axes get `length`, by default the manifest's `example_length`.
    """
    low, high = manifest.preprocessing.get("range", (-1.0, 1.0))
    draw = np.random.default_rng(seed)
    length = example_length(manifest) if length is None else length
    return {
        spec.name: draw.uniform(low, high, (batch, *(length if n == -1 else n for n in spec.shape))).astype(np.float32)
        for spec in manifest.inputs
    }


def differences(reference: Engine, other: Engine, inputs: Arrays) -> dict[str, float]:
    """Run both and return the `distance` of each output.

    An output with a NaN, or of another shape, is infinitely far.
    """
    want, got = reference.run(inputs), other.run(inputs)
    return {name: distance(want[name], got[name]) for name in want}


def distance(want: FloatArray, got: FloatArray) -> float:
    """Return max |want - got| / max(1, max |want|), infinity for other shapes or NaN."""
    if want.shape != got.shape or not (np.isfinite(want).all() and np.isfinite(got).all()):
        return float("inf")
    return float(np.abs(want - got).max() / max(1.0, float(np.abs(want).max())))
