"""How far recent looks at a face lie from a gallery of the same person, and how far that person's own looks do. Pure.

The invariant: a measure is never read alone. It is standardised by what the same measure says of the person's own
genuine recordings, each compared with the rest of them, so that only a difference within one person counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.detectors.mixture import Mixture
from monitor.detectors.pairs import CUBED, Feature, far_pairs, pair_features, partners
from monitor.face.vectors import FaceVectors

# `identity`: distance of identity vectors; `logit`: how much more like a blend than the gallery at like pose;
# `pairs`: how unlikely the change between looks is under the person's mixture.
MEASURES = ("identity", "logit", "pairs")
IDENTITY, LOGIT, PAIRS = range(len(MEASURES))
# Looks in one comparison: five seconds at two a second.
WINDOW = 10
LEAST = 5
# Rows beside a held-out window of the same recording that are left out with it: neighbours show the same moment.
GUARD = 1
NEAREST = 5
PARTNERS = 3
ADAPTED_PAIRS = 300
# How many windows of this person weigh as much as what is known of people in general.
PRIOR_WINDOWS = 4.0

Doubles = NDArray[np.float64]


def measure(live: FaceVectors, gallery: FaceVectors, mixture: Mixture, kind: Feature = CUBED) -> Doubles:
    """Compare live looks with a gallery: (M,) in the order of `MEASURES`, higher being stranger.

    Identity is NaN where either side has no identity vectors.
    """
    _, columns = partners(live, gallery, NEAREST)
    expected = gallery.logit[columns].reshape(len(live), -1).mean(1)
    first, second = partners(live, gallery, PARTNERS, far=True)
    features = pair_features(live.artefacts[first], gallery.artefacts[second], kind)
    return np.array(
        [
            _identity(live, gallery),
            float((live.logit - expected).mean()),
            -float(mixture.log_likelihood(features).mean()),
        ]
    )


def identity_distances(live: FaceVectors, gallery: FaceVectors) -> Doubles:
    """Euclidean distances of identity vectors, (len(live), len(gallery)); no columns where there are no vectors."""
    if live.identity.shape[1] == 0 or live.identity.shape[1] != gallery.identity.shape[1]:
        return np.zeros((len(live), 0))
    a, b = live.identity.astype(np.float64), gallery.identity.astype(np.float64)
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(squares, 0)), np.float64)


def _identity(live: FaceVectors, gallery: FaceVectors) -> float:
    apart = identity_distances(live, gallery)
    if apart.shape[1] == 0:
        return float("nan")
    return float(np.sort(apart, axis=1)[:, :NEAREST].mean())


@dataclass(frozen=True, slots=True, eq=False)
class Norm:
    """What the measures are of a genuine person: `location` (M,) and `scale` (M,), from so many held-out windows."""

    location: Doubles
    scale: Doubles
    windows: int

    def standardise(self, measures: Doubles) -> Doubles:
        """Say how many standard deviations each of (M,) lies above what is usual."""
        return np.asarray((measures - self.location) / self.scale, np.float64)


def adapted(gallery: FaceVectors, mixture: Mixture, kind: Feature = CUBED) -> Mixture:
    """Adapt the population's mixture to one person's pairs."""
    first, second = far_pairs(gallery, ADAPTED_PAIRS)
    return mixture.adapt(pair_features(gallery.artefacts[first], gallery.artefacts[second], kind))


def held_out(clip: NDArray[np.int64]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Windows of a gallery and what each is compared with: [(rows of the window, rows of the rest), ...].

    With several recordings, a window is compared with the other recordings only; with one, with the rest of it.
    """
    names, found = np.unique(clip), []
    for name in names:
        own = np.flatnonzero(clip == name)
        for at in range(0, len(own), WINDOW):
            window = own[at : at + WINDOW]
            near = own[max(at - GUARD, 0) : at + WINDOW + GUARD]
            rest = np.flatnonzero(clip != name) if len(names) > 1 else np.setdiff1d(own, near)
            if len(window) >= LEAST and len(rest) >= LEAST:
                found.append((window, rest))
    return found


def leave_one_out(
    gallery: FaceVectors, clip: NDArray[np.int64], mixture: Mixture, kind: Feature = CUBED
) -> tuple[Doubles, int]:
    """Measure each window of a gallery against the rest: (B, M), and of how many recordings they are."""
    rows = [
        measure(gallery.take(window), gallery.take(rest), adapted(gallery.take(rest), mixture, kind), kind)
        for window, rest in held_out(clip)
    ]
    return np.array(rows, np.float64).reshape(-1, len(MEASURES)), len(np.unique(clip))


def shrunk(own: Doubles, location: Doubles, scale: Doubles, weight: float = PRIOR_WINDOWS) -> Norm:
    """Norm of a person from their held-out measures (B, M), drawn to that of people in general where B is small."""
    count = len(own)
    mean = own.mean(0) if count else location
    centre = (count * mean + weight * location) / (count + weight)
    spread = ((own - mean) ** 2).sum(0) if count else np.zeros_like(location)
    variance = (spread + weight * scale**2) / (count + weight)
    known = np.isfinite(centre) & np.isfinite(variance)
    return Norm(np.where(known, centre, location), np.where(known, np.sqrt(variance), scale), count)
