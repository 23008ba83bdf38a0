from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from monitor.lab.studies.difffake_baseline import compare_models
from monitor.types import FloatArray
from tests.monitor.lab.studies.test_paired_forgeries import clip


def nearness(x: FloatArray) -> Callable[[FloatArray], NDArray[np.float64]]:
    """What lies near the mean is natural."""
    centre = x.mean(0)
    return lambda y: -np.linalg.norm(y - centre, axis=1).astype(np.float64)


def test_each_model_is_told_with_each_feature() -> None:
    clips = [*(clip(p) for p in range(6)), *(clip(p, 7, "fake") for p in range(2))]
    told = compare_models(clips, {"near": nearness, "far": lambda x: lambda y: -nearness(x)(y)})
    assert list(told)[:2] == ["near, abs", "far, abs"]
    assert len(told) == 8
    for feature in ("abs", "sub", "squared", "cubed"):
        near, far = told[f"near, {feature}"], told[f"far, {feature}"]
        assert near["forged_clips"] == near["people"] == 2
        assert near["wins"] + far["wins"] == 1
        assert abs(near["auc"] + far["auc"] - 1) < 1e-6
