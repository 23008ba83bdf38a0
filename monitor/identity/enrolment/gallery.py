"""Which moments of a person's recordings become the gallery: good ones, typical ones, and as different as there are.

Half of a clip's places go to moments spread evenly over it, which say what is usual; the other half go, one by one, to
the moment that differs most in pose and mouth from all that are taken already, so that a live face finds its like.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.face.geometry import fit_pose, rigid_points, speech_shape
from monitor.face.shot import FaceShot
from monitor.types import FloatArray

# A clip that takes part has at least so many places: fewer say nothing of how a recording differs in itself.
LEAST = 5
# The share of a clip's moments, the least sharp ones, that is left out where enough others are there.
BLURRED = 0.2
# A turn of so many degrees counts as much as a mouth moved by a tenth of the eye distance.
DEGREES = 10.0
MOVED = 0.1

Indices = NDArray[np.int64]


def choose(clips: Sequence[Sequence[FaceShot]], places: int) -> list[Indices]:
    """Give for each clip the indices of its chosen shots, rising; together at most `places`."""
    quotas = share_out([len(clip) for clip in clips], places)
    return [_of_clip(clip, quota) for clip, quota in zip(clips, quotas, strict=True)]


def share_out(counts: Sequence[int], places: int) -> list[int]:
    """Share places out over clips with so many moments each: as even as the counts allow, none below `LEAST` but 0."""
    quotas = [0] * len(counts)
    # The richest clips take part where there are too many for all.
    able = sorted((n for n, count in enumerate(counts) if count), key=lambda n: -counts[n])[: max(places // LEAST, 1)]
    left = places
    for position, n in enumerate(sorted(able, key=lambda n: counts[n])):
        quotas[n] = min(counts[n], left // (len(able) - position))
        left -= quotas[n]
    return quotas


def features(shots: Sequence[FaceShot]) -> FloatArray:
    """Pose and mouth of shots, (N, F): a distance of 1 is a clear change of either."""
    rows = []
    for shot in shots:
        pose = fit_pose(rigid_points(shot.landmarks))
        shape = speech_shape(shot.landmarks, pose)
        rows.append(np.concatenate([np.array(pose.angles) / DEGREES, shape / MOVED / np.sqrt(len(shape) / 3)]))
    return np.array(rows, np.float32)


def _of_clip(shots: Sequence[FaceShot], quota: int) -> Indices:
    if quota == 0:
        return np.zeros(0, np.int64)
    sharpness = np.array([shot.sharpness for shot in shots])
    spare = min(int(BLURRED * len(shots)), len(shots) - quota)
    able = np.sort(np.argsort(sharpness, kind="stable")[spare:])
    even = np.unique(np.linspace(0, len(able) - 1, max(quota // 2, 1)).round().astype(np.int64))
    return able[spread(features([shots[n] for n in able]), even, quota)].astype(np.int64)


def spread(points: FloatArray, taken: Indices, count: int) -> Indices:
    """Add to the `taken` rows of (N, F), one by one, the one farthest from all taken, up to `count`; rising."""
    chosen = list(taken[:count])
    nearest = np.min([_apart(points, n) for n in chosen], axis=0)
    while len(chosen) < min(count, len(points)):
        nearest[chosen] = -1.0
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, _apart(points, chosen[-1]))
    return np.sort(np.array(chosen, np.int64))


def _apart(points: FloatArray, row: int) -> FloatArray:
    return np.asarray(np.linalg.norm(points - points[row], axis=1), np.float32)
