"""The basis of expressions, learnt from genuine recordings: a principal component analysis in numpy.

Each recording is taken about its own neutral, so that faces of different people do not count as expressions, and each
person weighs the same however much there is of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.training.clips import TrainingError

FloatArray = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """Valid frames of one recording: `shapes` (T, D) levelled, `head` (T, 12) with its velocity, and whose they are."""

    subject: str
    shapes: NDArray[np.floating]
    head: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """`mean` (D,), `components` (K, D), `scale` (K,), `head` (12,); `shares` (D,) of variance by component.

    The arrays of `monitor.face.expression.ExpressionBasis`, which this package does not know.
    """

    mean: FloatArray
    components: FloatArray
    scale: FloatArray
    head: FloatArray
    shares: FloatArray


def fit_basis(clips: Sequence[Moved], size: int) -> Fitted:
    """Learn `size` components from genuine recordings; raises `TrainingError` when there are too few frames."""
    people = sorted({clip.subject for clip in clips})
    frames = sum(len(clip.shapes) for clip in clips)
    if frames <= size:
        raise TrainingError(f"{frames} frames are too few for {size} components: add recordings, or ask for fewer")
    width = clips[0].shapes.shape[1]
    middle, spread = np.zeros(width), np.zeros((width, width))
    head: Doubles = np.zeros(clips[0].head.shape[1])
    for person in people:
        clips_of_person = [clip for clip in clips if clip.subject == person]
        weight = 1 / (sum(len(clip.shapes) for clip in clips_of_person) * len(people))
        for clip in clips_of_person:
            shapes = np.asarray(clip.shapes, np.float64)
            moved = shapes - np.median(shapes, axis=0)
            middle += weight * shapes.sum(0)
            spread += weight * (moved.T @ moved)
            head += weight * ((clip.head - np.median(clip.head, axis=0)) ** 2).sum(0)
    values, vectors = np.linalg.eigh(spread)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    if size > width or values[size - 1] <= 1e-12 * values[0]:
        raise TrainingError(f"the recordings move in fewer than {size} ways: add recordings, or ask for fewer")
    components = vectors[:, :size].T
    # The sign of a component is arbitrary: the same recordings should give the same basis everywhere.
    components = components * np.sign(components[np.arange(size), np.abs(components).argmax(1)])[:, None]
    # A head that is not recorded, as in some files of coefficients, never moves.
    spread_head = np.where(head > 0, np.sqrt(head), 1.0)
    parts = (middle, components, np.sqrt(values[:size]), spread_head, values / values.sum())
    return Fitted(*(np.asarray(part, np.float32) for part in parts))
