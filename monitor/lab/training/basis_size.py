"""Measures how many components the basis of expressions needs.

    python -m monitor.lab.training.basis_size MANIFEST SPLIT CACHE

For each of the folds a and b, a basis is learnt from everybody else and measured on the people of the fold. One line
of JSON a fold goes to stdout.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.base import MODELS
from monitor.face.expression import ExpressionBasis
from monitor.lab.corpus.manifest import Row, apply_split, read_manifest
from monitor.lab.corpus.motion_features import BASIS_SIZE, ClipMotion, learn_basis
from monitor.lab.progress import clip_progress
from monitor.lab.training.movement_data import read_motions

MAX_COMPONENTS = 64
REPORTED_COMPONENTS = (8, 12, 16, BASIS_SIZE, 32, 48)
ENOUGH_VARIANCE = 0.95
_FOURTH = (1, -4, 6, -4, 1)

Doubles = NDArray[np.float64]


def shares(basis: ExpressionBasis, clips: Sequence[ClipMotion]) -> Doubles:
    """Share of one person's variance about the neutral of each recording, (K,): of the first component, of two, ..."""
    explained, total = np.zeros(basis.size), 0.0
    for clip in clips:
        shapes = clip.shape[clip.valid].astype(np.float64)
        deviations = shapes - np.median(shapes, axis=0)
        explained += ((deviations @ basis.components.T) ** 2).sum(0)
        total += float((deviations**2).sum())
    return np.asarray(np.cumsum(explained) / total, np.float64)


def needed(by_count: Doubles) -> int:
    """Compute how many components explain enough of the variance; one more than there are when all do not."""
    return int(np.searchsorted(by_count, ENOUGH_VARIANCE)) + 1


def shaking(clip: ClipMotion) -> float:
    """Share of a clip's variance that differs from frame to frame as white noise does; nan where five are nowhere.

    Fourth differences of noise have 70 times its variance, and those of what faces do hardly any.
    """
    shapes = clip.shape.astype(np.float64)
    count = len(shapes) - 4
    if count < 1:
        return float("nan")
    fourth_differences = np.asarray(sum(w * shapes[n : n + count] for n, w in enumerate(_FOURTH)), np.float64)
    valid_runs = np.all([clip.valid[n : n + count] for n in range(5)], axis=0)
    deviations = shapes[clip.valid] - np.median(shapes[clip.valid], axis=0)
    return (
        float((fourth_differences[valid_runs] ** 2).sum(1).mean() / 70 / (deviations**2).sum(1).mean())
        if valid_runs.any()
        else float("nan")
    )


def measure(
    clips: Sequence[tuple[Row, ClipMotion]], fold: str, max_components: int = MAX_COMPONENTS
) -> Mapping[str, Any]:
    """Measure how well a basis of the others, of `max_components` components, describes the people of a fold."""
    basis = learn_basis([(row.subject, clip) for row, clip in clips if row.fold != fold], max_components)
    clips_by_person: dict[str, list[ClipMotion]] = {}
    for row, clip in clips:
        if row.fold == fold:
            clips_by_person.setdefault(row.subject, []).append(clip)
    people = np.array([shares(basis, clips_of_person) for clips_of_person in clips_by_person.values()])
    counts = [count for count in REPORTED_COMPONENTS if count <= max_components]
    noise_shares = [shaking(clip) for clips_of_person in clips_by_person.values() for clip in clips_of_person]
    return {
        "fold": fold,
        "people": len(clips_by_person),
        "clips": sum(map(len, clips_by_person.values())),
        "learnt_from": len({row.subject for row, _ in clips if row.fold != fold}),
        "needed": needed(people.mean(0)),
        "needed_by_person": np.percentile(
            [needed(clips_of_person) for clips_of_person in people], [10, 50, 90, 100]
        ).tolist(),
        "explained": {count: round(float(people.mean(0)[count - 1]), 4) for count in counts},
        "least_explained": {count: round(float(people[:, count - 1].min()), 4) for count in counts},
        "shaking": np.round(np.nanpercentile(noise_shares, [10, 50, 90]), 3).tolist(),
    }


def main(manifest: Path, split: Path, cache: Path, max_components: int = MAX_COMPONENTS) -> int:
    """Write a line for each fold; gives how many clips it is of."""
    rows = [row for row in apply_split(read_manifest(manifest), split) if row.label == "real"]
    with clip_progress("Reading clips", len(rows)) as tick:
        clips = read_motions(rows, cache, MODELS, tick)
    for fold in ("a", "b"):
        sys.stdout.write(json.dumps(measure(clips, fold, max_components)) + "\n")
    return len(clips)


if __name__ == "__main__":
    made = main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
    sys.stderr.write(f"measured on {made} clips\n")
