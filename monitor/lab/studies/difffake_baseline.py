"""DiffFake's published form as its paper compares it: four pair features, three models, one clip at a time.

Measured on matched pairs like everything else, so that it can be read beside what the detector does. Nothing of it is
shipped but the mixture, and that for `evaluate` only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.detectors.pairwise.pair_features import FEATURES, Feature, pair_features
from monitor.lab.corpus.manifest import group_by_subject
from monitor.lab.studies.face_population import FaceClip, difffake_pairs
from monitor.lab.studies.paired_forgeries import PUBLISHED_PAIRS, Probe, method_of, summary
from monitor.types import FloatArray

Doubles = NDArray[np.float64]
# From features (N, D) to what says how natural rows of features are: (M, D) -> (M,).
Model = Callable[[FloatArray], Callable[[FloatArray], Doubles]]


def compare_models(clips: Sequence[FaceClip], models: Mapping[str, Model]) -> dict[str, dict[str, Any]]:
    """Compute paired wins and AUC of each model with each feature: `{"gmm, squared": {...}}`.

    Each person's clips are scored by what was fitted to the other half of the people.
    """
    forged = group_by_subject(clips, "fake")
    people = group_by_subject(clips, "real")
    person_names = list(people)
    summaries = {}
    for feature in FEATURES:
        halves = [[c for n in person_names[side::2] for c in people[n]] for side in (0, 1)]
        features = [difffake_pairs(half, feature) for half in halves]
        for label, model in models.items():
            fitted = [model(training_features) for training_features in features]
            probes = [
                _probe(clip, natural, feature)
                for number, name in enumerate(person_names)
                for natural in [fitted[1 - number % 2]]
                for clip in ([*people[name], *forged[name]] if name in forged else [])
            ]
            summaries[f"{label}, {feature}"] = summary(probes, "score")
    return summaries


def _probe(clip: FaceClip, natural: Callable[[FloatArray], Doubles], feature: Feature) -> Probe:
    vectors = clip.recorded.artefacts
    first, second = np.triu_indices(len(vectors), 1)
    picked = np.random.default_rng(0).permutation(len(first))[:PUBLISHED_PAIRS]
    log_likelihoods = natural(pair_features(vectors[first[picked]], vectors[second[picked]], feature))
    row = clip.row
    return Probe(
        row.name, row.label, method_of(row.method), row.subject, 0, "", {"score": -float(log_likelihoods.mean())}, None
    )
