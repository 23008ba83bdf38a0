"""How far recent looks at a face lie from a gallery of the same person, and how far that person's own looks do. Pure.

The invariant: a measure is never read alone. It is standardised by what the same measure says of the person's own
genuine recordings, each compared with the rest of them, so that only a difference within one person counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.detectors.pairwise.mixture import Mixture
from monitor.detectors.pairwise.pair_features import partners
from monitor.face.vectors import FaceVectors
from monitor.types import FloatArray

# `identity`: how far the mean identity vector lies from that of the gallery in like poses; `logit`: how much more like
# a blend than the gallery in like poses; `pairs`: how unlikely the difference of the two means is among genuine ones.
MEASURES = ("identity", "logit", "pairs")
IDENTITY, LOGIT, PAIRS = range(len(MEASURES))
# Looks in one comparison: five seconds at two a second.
WINDOW_LOOKS = 10
MIN_LOOKS = 5
# Rows beside a held-out window of the same recording that are left out with it: neighbours show the same moment.
GUARD_LOOKS = 1
# Looks of the gallery, the nearest in pose and expression, that one live look is compared with.
NEAREST_LOOKS = 5
# How many windows of this person weigh as much as what is known of people in general.
PRIOR_WINDOWS = 4.0

Doubles = NDArray[np.float64]


def difference(live: FaceVectors, gallery: FaceVectors) -> FloatArray:
    """Give the mean of the live embeddings less that of the gallery's in like poses, (1, D).

    This is DiffFake's A - B with the live looks for A and the gallery's nearest for B, averaged before anything else is
    made of it: single pairs of looks differ by far more than a forgery adds (`docs/detection.md`).
    """
    return _difference(live, gallery, partners(live, gallery, NEAREST_LOOKS)[1])


def _difference(live: FaceVectors, gallery: FaceVectors, columns: NDArray[np.int64]) -> FloatArray:
    return np.asarray(live.artefacts.mean(0) - gallery.artefacts[columns].mean(0), np.float32)[None]


def measure(live: FaceVectors, gallery: FaceVectors, mixture: Mixture) -> Doubles:
    """Compare live looks with a gallery: (M,) in the order of `MEASURES`, higher being stranger.

    Identity is NaN where either side has no identity vectors.
    """
    _, columns = partners(live, gallery, NEAREST_LOOKS)
    return np.array(
        [
            _identity(live, gallery, columns),
            float(live.logit.mean() - gallery.logit[columns].mean()),
            -float(mixture.log_likelihood(_difference(live, gallery, columns))[0]),
        ]
    )


def _identity(live: FaceVectors, gallery: FaceVectors, columns: NDArray[np.int64]) -> float:
    if live.identity.shape[1] == 0 or live.identity.shape[1] != gallery.identity.shape[1]:
        return float("nan")
    return float(np.linalg.norm(live.identity.mean(0) - gallery.identity[columns].mean(0)))


def identity_distances(live: FaceVectors, gallery: FaceVectors) -> Doubles:
    """Euclidean distances of identity vectors, (len(live), len(gallery)); no columns where there are no vectors."""
    if live.identity.shape[1] == 0 or live.identity.shape[1] != gallery.identity.shape[1]:
        return np.zeros((len(live), 0))
    a, b = live.identity.astype(np.float64), gallery.identity.astype(np.float64)
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(squares, 0)), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Norm:
    """What the measures are of a genuine person: `location` (M,) and `scale` (M,), from so many held-out windows."""

    location: Doubles
    scale: Doubles
    windows: int

    def standardise(self, measures: Doubles) -> Doubles:
        """Say how many standard deviations each of (M,) lies above what is usual."""
        return np.asarray((measures - self.location) / self.scale, np.float64)


def held_out(clip: NDArray[np.int64]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Windows of a gallery and what each is compared with: [(rows of the window, rows of the rest), ...].

    With several recordings, a window is compared with the other recordings only; with one, with the rest of it.
    """
    names, pairs = np.unique(clip), []
    for name in names:
        rows = np.flatnonzero(clip == name)
        for start in range(0, len(rows), WINDOW_LOOKS):
            window = rows[start : start + WINDOW_LOOKS]
            guarded = rows[max(start - GUARD_LOOKS, 0) : start + WINDOW_LOOKS + GUARD_LOOKS]
            rest = np.flatnonzero(clip != name) if len(names) > 1 else np.setdiff1d(rows, guarded)
            if len(window) >= MIN_LOOKS and len(rest) >= MIN_LOOKS:
                pairs.append((window, rest))
    return pairs


def window_differences(gallery: FaceVectors, clip: NDArray[np.int64]) -> FloatArray:
    """Give the differences of a gallery's windows from the rest, (B, D): what the mixture is adapted to."""
    differences = [difference(gallery.take(window), gallery.take(rest)) for window, rest in held_out(clip)]
    return np.concatenate([np.zeros((0, gallery.artefacts.shape[1]), np.float32), *differences])


def leave_one_out(gallery: FaceVectors, clip: NDArray[np.int64], mixture: Mixture) -> tuple[Doubles, int]:
    """Measure each window of a gallery against the rest: (B, M), and of how many recordings they are.

    The mixture is adapted to the other windows, never to the one that is measured.
    """
    differences, rows = window_differences(gallery, clip), []
    for number, (window, rest) in enumerate(held_out(clip)):
        adapted = mixture.adapt(np.delete(differences, number, axis=0))
        rows.append(measure(gallery.take(window), gallery.take(rest), adapted))
    return np.array(rows, np.float64).reshape(-1, len(MEASURES)), len(np.unique(clip))


def shrink(measures: Doubles, location: Doubles, scale: Doubles, weight: float = PRIOR_WINDOWS) -> Norm:
    """Norm of a person from their held-out measures (B, M), drawn to that of people in general where B is small."""
    count = len(measures)
    mean = measures.mean(0) if count else location
    centre = (count * mean + weight * location) / (count + weight)
    spread = ((measures - mean) ** 2).sum(0) if count else np.zeros_like(location)
    variance = (spread + weight * scale**2) / (count + weight)
    finite = np.isfinite(centre) & np.isfinite(variance)
    return Norm(np.where(finite, centre, location), np.where(finite, np.sqrt(variance), scale), count)
