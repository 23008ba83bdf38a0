"""What the plots of the laboratory share: a canvas without a screen, the file, and the axes of a DET curve."""

from __future__ import annotations

from pathlib import Path
from statistics import NormalDist
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 120

Floats = NDArray[np.float64]


def pyplot() -> ModuleType:
    """Load matplotlib, drawing into memory: no screen is needed."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    return plt


def save(figure: Figure, path: Path) -> Path:
    """Write a figure to a PNG file, and free it."""
    figure.savefig(path, dpi=DPI)
    pyplot().close(figure)
    return path


def normal_deviates(rates: Floats, smallest: float = 1e-4) -> Floats:
    """Compute the normal deviates that a DET curve is drawn on; rates are clipped to `smallest` and 1 - `smallest`."""
    return np.array([NormalDist().inv_cdf(min(max(float(rate), smallest), 1 - smallest)) for rate in rates])
