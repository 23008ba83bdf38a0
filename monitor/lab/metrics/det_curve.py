"""DET curves of comparisons as a picture: false matches against false non-matches, on normal deviates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from engines.metrics import eer
from monitor.lab.metrics.verification import Floats, det

_TICKS = (0.0001, 0.001, 0.01, 0.05, 0.2, 0.5)
_LEAST, _MOST = 5e-5, 0.6

Sets = Mapping[str, tuple[Floats, NDArray[np.bool_]]]


def draw_det(sets: Sets, path: Path) -> Path:
    """Write the picture: a line for each named set of distances (N,) and whether they are of one person (N,)."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(5.5, 5.2), layout="constrained")
    for name, (distance, flags) in sets.items():
        same, different = distance[flags], distance[~flags]
        fmr, fnmr = det(same, different)
        label = f"{name}: EER {100 * eer(different, same):.2f} % (n {len(same)}+{len(different)})"
        axes.plot(_deviate(fmr), _deviate(fnmr), label=label)
    ticks, limits = _deviate(np.array(_TICKS)), _deviate(np.array([_LEAST, _MOST]))
    axes.plot(limits, limits, ":", color="grey", linewidth=1)
    for set_ticks in (axes.set_xticks, axes.set_yticks):
        set_ticks(ticks, [f"{100 * p:g} %" for p in _TICKS], fontsize=8)
    axes.set(xlabel="false matches (FMR)", ylabel="false non-matches (FNMR)", title="Same person or not")
    axes.set(xlim=tuple(limits), ylim=tuple(limits))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path


def _deviate(rates: Floats) -> Floats:
    return np.array([NormalDist().inv_cdf(min(max(float(r), _LEAST / 2), 1 - _LEAST / 2)) for r in rates])
