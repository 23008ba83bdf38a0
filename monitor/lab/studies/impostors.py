"""Another person behind a claimed name: how far apart the detector's score holds genuine people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from engines.metrics import auc, eer
from monitor.decision.evalues import power
from monitor.lab.corpus.manifest import group_by_subject
from monitor.lab.studies.face_population import (
    FaceClip,
    FaceTrial,
    FittedPopulation,
    enrolled,
    genuine,
    judge,
    windows,
)

# What of the components is counted: identity and artefact.
COUNTED_COMPONENTS = (0, 1)
IMPOSTORS_PER_PERSON = 5
P_VALUE_LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Claims:
    """Windows of people under other people's names, of `people` enrolled, beside genuine ones.

    `found` is the share with p at most 0.05; `e_value` the mean bet of one window at a sequential p-value (kappa 0.5).
    """

    windows: int
    genuine: int
    people: int
    auc: float
    eer: float
    found: float
    e_value: float

    def as_json(self) -> Mapping[str, Any]:
        """Return plain numbers, rounded."""
        return {key: round(value, 4) for key, value in asdict(self).items()}


def claims(
    clips: Sequence[FaceClip], fitted: FittedPopulation, impostors_per_person: int = IMPOSTORS_PER_PERSON, seed: int = 0
) -> Claims:
    """Let each enrolled person be claimed by `impostors_per_person` drawn ones, each for one window on every rung."""
    people = group_by_subject(clips, "real")
    random = np.random.default_rng(seed)
    impostor_scores, genuine_scores, p_values, e_values = [], [], [], []
    for name in fitted.people:
        population = fitted.measured_by(name)
        genuine_pieces = tuple((clip, np.arange(len(clip))) for clip in people[name])
        reference = enrolled(FaceTrial(genuine_pieces, genuine_pieces[0], None, False), population)
        genuine_scores += [population.value(parts, COUNTED_COMPONENTS) for parts in genuine(people[name], population)]
        strangers = [stranger for stranger in fitted.people if stranger != name]
        for stranger in random.choice(strangers, min(impostors_per_person, len(strangers)), replace=False):
            clip = people[str(stranger)][0]
            window = next(iter(windows(np.arange(len(clip)))), None)
            if window is None:
                continue
            for vectors in clip.rungs.values():
                parts = judge(vectors.take(window), None, reference, population)
                impostor_scores.append(population.value(parts, COUNTED_COMPONENTS))
                p_values.append(population.p_value(parts, COUNTED_COMPONENTS, once=True) or 1.0)
                e_values.append(power(population.p_value(parts, COUNTED_COMPONENTS) or 1.0, 0.5))
    scores = np.asarray(impostor_scores), np.asarray(genuine_scores)
    below_level = [float(p_value <= P_VALUE_LEVEL) for p_value in p_values]
    means = (float(np.mean(values)) if values else float("nan") for values in (below_level, e_values))
    return Claims(len(impostor_scores), len(genuine_scores), len(people), auc(*scores), eer(*scores), *means)
