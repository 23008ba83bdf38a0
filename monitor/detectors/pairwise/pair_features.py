"""Pairs of looks at one face: what is made of two vectors, and which two looks are taken. Pure.

After DiffFake (Stamnas and Sanchez 2025, section 3.2): the difference of two embeddings, its size, square or cube,
brought to length one. Pairs show natural change only when the two looks differ, so they are picked far apart in pose
and expression.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monitor.face.vectors import FaceVectors
from monitor.types import FloatArray

Feature = Literal["abs", "sub", "squared", "cubed"]
ABS: Feature = "abs"
SUB: Feature = "sub"
SQUARED: Feature = "squared"
CUBED: Feature = "cubed"
FEATURES: tuple[Feature, ...] = (ABS, SUB, SQUARED, CUBED)

# A turn of so many degrees is as far as an expression that moves the mouth by a tenth of the eye distance.
_FAR_DEGREES = 10.0
_FAR_EYE_DISTANCES = 0.1

Indices = NDArray[np.int64]


def pair_features(a: FloatArray, b: FloatArray, kind: Feature = SQUARED) -> FloatArray:
    """Combine the vectors (N, D) of the two sides of N pairs into (N, D) of length one; equal sides give zeros."""
    difference: FloatArray = np.asarray(a - b, np.float32)
    # Brought to one scale first: the cube of small numbers would be lost to rounding.
    scale = np.abs(difference).max(1, keepdims=True)
    difference = np.asarray(difference / np.where(scale > 0, scale, 1), np.float32)
    if kind == ABS:
        difference = np.abs(difference)
    elif kind == SQUARED:
        difference = np.square(difference)
    elif kind == CUBED:
        difference = np.square(difference) * difference
    norm = np.linalg.norm(difference, axis=1, keepdims=True)
    return np.asarray(difference / np.where(norm > 0, norm, 1), np.float32)


def distances(a: FaceVectors, b: FaceVectors) -> FloatArray:
    """Tell how far apart looks are in pose and expression: (len(a), len(b)), about 1 for a clear change of either."""
    turn = (a.angles[:, None, :] - b.angles[None, :, :]) / _FAR_DEGREES
    squares = (a.expression**2).sum(1)[:, None] + (b.expression**2).sum(1)[None] - 2 * a.expression @ b.expression.T
    expression = np.maximum(squares, 0) / max(a.expression.shape[1] / 3, 1) / _FAR_EYE_DISTANCES**2
    return np.asarray(np.sqrt((turn**2).sum(2) + expression), np.float32)


def far_pairs(vectors: FaceVectors, count: int, seed: int = 0) -> tuple[Indices, Indices]:
    """Pick at most `count` pairs of rows of one person, drawn among the half that is farthest apart."""
    first, second = np.triu_indices(len(vectors), 1)
    if len(first) == 0:
        return first.astype(np.int64), second.astype(np.int64)
    gaps = distances(vectors, vectors)[first, second]
    far = np.flatnonzero(gaps >= np.median(gaps))
    picked = np.random.default_rng(seed).permutation(far)[:count]
    return first[picked].astype(np.int64), second[picked].astype(np.int64)


def partners(live: FaceVectors, gallery: FaceVectors, count: int, far: bool = False) -> tuple[Indices, Indices]:
    """Pair every live row with the `count` gallery rows nearest in pose and expression, or the farthest."""
    gaps = distances(live, gallery)
    order = np.argsort(-gaps if far else gaps, axis=1, kind="stable")[:, :count]
    rows = np.repeat(np.arange(len(live)), order.shape[1])
    return rows.astype(np.int64), order.reshape(-1).astype(np.int64)
