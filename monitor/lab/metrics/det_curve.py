"""DET curve of a comparison of faces as a plot: false matches against false non-matches, on normal deviates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.metrics import eer
from monitor.lab.metrics.verification import Floats, det
from monitor.lab.plotting import normal_deviates, pyplot, save

# Error rates that the axes are labelled with, and those at their ends.
_TICK_RATES = (0.0001, 0.001, 0.01, 0.05, 0.2, 0.5)
_AXIS_RATES = (5e-5, 0.6)
_SMALLEST_RATE = _AXIS_RATES[0] / 2

Sets = Mapping[str, tuple[Floats, NDArray[np.bool_]]]


def draw_det(sets: Sets, path: Path) -> Path:
    """Write the plot: a line for each named set of distances (N,) and whether each is of one person (N,)."""
    figure, axes = pyplot().subplots(figsize=(5.5, 5.2), layout="constrained")
    for name, (distances, same_person) in sets.items():
        same, different = distances[same_person], distances[~same_person]
        fmr, fnmr = det(same, different)
        label = f"{name}: EER {100 * eer(different, same):.2f} % (n {len(same)}+{len(different)})"
        axes.plot(_deviates(fmr), _deviates(fnmr), label=label)
    ticks, limits = _deviates(np.array(_TICK_RATES)), _deviates(np.array(_AXIS_RATES))
    axes.plot(limits, limits, ":", color="grey", linewidth=1)
    for set_ticks in (axes.set_xticks, axes.set_yticks):
        set_ticks(ticks, [f"{100 * rate:g} %" for rate in _TICK_RATES], fontsize=8)
    axes.set(xlabel="false matches (FMR)", ylabel="false non-matches (FNMR)", title="Same person or not")
    axes.set(xlim=tuple(limits), ylim=tuple(limits))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    return save(figure, path)


def _deviates(rates: Floats) -> Floats:
    return normal_deviates(rates, _SMALLEST_RATE)
