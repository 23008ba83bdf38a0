"""Another person behind a claimed name: how far apart the detector's score holds genuine people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from engines.metrics import auc, eer
from monitor.decision.evalues import power
from monitor.lab.studies.face_population import Built, Clip, Trial, by_person, enrolled, genuine, judge, windows

# What of the components is counted: identity and artefact.
COUNTED = (0, 1)
OTHERS = 5
ALLOWED = 0.05


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
        """Give plain numbers, rounded."""
        return {key: round(value, 4) for key, value in asdict(self).items()}


def claims(clips: Sequence[Clip], built: Built, others: int = OTHERS, seed: int = 0) -> Claims:
    """Let each enrolled person be claimed by `others` drawn ones, each for one window on every rung."""
    people = by_person(clips)
    random = np.random.default_rng(seed)
    false, real, p_values, bets = [], [], [], []
    for name in built.people:
        population = built.measured_by(name)
        own = tuple((clip, np.arange(len(clip))) for clip in people[name])
        reference = enrolled(Trial(own, own[0], None, False), population)
        real += [population.value(parts, COUNTED) for parts in genuine(people[name], population)]
        strangers = [other for other in built.people if other != name]
        for other in random.choice(strangers, min(others, len(strangers)), replace=False):
            clip = people[str(other)][0]
            window = next(iter(windows(np.arange(len(clip)))), None)
            if window is None:
                continue
            for vectors in clip.rungs.values():
                parts = judge(vectors.take(window), None, reference, population)
                false.append(population.value(parts, COUNTED))
                p_values.append(population.p_value(parts, COUNTED, once=True) or 1.0)
                bets.append(power(population.p_value(parts, COUNTED) or 1.0, 0.5))
    scores = np.asarray(false), np.asarray(real)
    found = [float(p_value <= ALLOWED) for p_value in p_values]
    means = (float(np.mean(each)) if each else float("nan") for each in (found, bets))
    return Claims(len(false), len(real), len(people), auc(*scores), eer(*scores), *means)
