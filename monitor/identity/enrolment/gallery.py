"""Selection of the gallery from a person's recordings: sharp moments, typical ones, and the most diverse.

Half of a clip's places go to moments spread evenly over it, which say what is usual; the other half go, one by one, to
the moment that differs most in pose and mouth from all that are taken already, so that a live face has a near match.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.face.geometry import fit_pose, rigid_points, speech_shape
from monitor.face.shot import FaceShot
from monitor.types import FloatArray

# Shots per participating clip at least: fewer do not show the variation within a recording.
MIN_SHOTS = 5
# The share of a clip's moments, the least sharp ones, that is left out where enough others are there.
BLURRED_SHARE = 0.2
# Head rotation and mouth displacement (in eye distances) that count as a distance of 1.
POSE_SCALE_DEGREES = 10.0
MOUTH_SCALE = 0.1

Indices = NDArray[np.int64]


def choose(clips: Sequence[Sequence[FaceShot]], places: int) -> list[Indices]:
    """Give for each clip the indices of its chosen shots, rising; together at most `places`."""
    quotas = share_out([len(clip) for clip in clips], places)
    return [_of_clip(clip, quota) for clip, quota in zip(clips, quotas, strict=True)]


def share_out(counts: Sequence[int], places: int) -> list[int]:
    """Allot `places` to clips by their moment counts, as evenly as these allow; a quota for each clip, in their order.

    Where there are too many clips for `MIN_SHOTS` each, the richest take part and the others get 0. A clip that takes
    part gets `MIN_SHOTS` at least; fewer only where it has fewer moments, all of which it then gets, or where `places`
    are fewer. The sum is at most `places`: less where the clips that take part have fewer moments.
    """
    quotas = [0] * len(counts)
    eligible = sorted((n for n, count in enumerate(counts) if count), key=lambda n: -counts[n])[
        : max(places // MIN_SHOTS, 1)
    ]
    remaining = places
    for position, n in enumerate(sorted(eligible, key=lambda n: counts[n])):
        quotas[n] = min(counts[n], remaining // (len(eligible) - position))
        remaining -= quotas[n]
    return quotas


def features(shots: Sequence[FaceShot]) -> FloatArray:
    """Pose and mouth of shots, (N, F): a distance of 1 is a clear change of either."""
    rows = []
    for shot in shots:
        pose = fit_pose(rigid_points(shot.landmarks))
        shape = speech_shape(shot.landmarks, pose)
        rows.append(
            np.concatenate([np.array(pose.angles) / POSE_SCALE_DEGREES, shape / MOUTH_SCALE / np.sqrt(len(shape) / 3)])
        )
    return np.array(rows, np.float32)


def _of_clip(shots: Sequence[FaceShot], quota: int) -> Indices:
    if quota == 0:
        return np.zeros(0, np.int64)
    sharpness = np.array([shot.sharpness for shot in shots])
    dropped = min(int(BLURRED_SHARE * len(shots)), len(shots) - quota)
    sharp = np.sort(np.argsort(sharpness, kind="stable")[dropped:])
    even = np.unique(np.linspace(0, len(sharp) - 1, max(quota // 2, 1)).round().astype(np.int64))
    return sharp[spread(features([shots[n] for n in sharp]), even, quota)].astype(np.int64)


def spread(points: FloatArray, selected: Indices, count: int) -> Indices:
    """Add to the `selected` rows of (N, F) the farthest one from all of them until there are `count`; rising."""
    chosen = list(selected[:count])
    nearest = np.min([_distances(points, n) for n in chosen], axis=0)
    while len(chosen) < min(count, len(points)):
        nearest[chosen] = -1.0
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, _distances(points, chosen[-1]))
    return np.sort(np.array(chosen, np.int64))


def _distances(points: FloatArray, row: int) -> FloatArray:
    return np.asarray(np.linalg.norm(points - points[row], axis=1), np.float32)
