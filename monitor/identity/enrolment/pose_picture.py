"""A picture of the accepted poses: outlines of landmarks, so that nobody's face is stored to show what was enrolled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from monitor.face.outline import CURVES
from monitor.types import FloatArray

COLUMNS = 8
CELL = 1.1


def draw_poses(poses: Sequence[FloatArray], target: Path) -> None:
    """Write a grid of faces, landmarks (468, 2) each in 0..1 of its crop, y down; raises `OSError`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = math.ceil(len(poses) / COLUMNS)
    figure = Figure(figsize=(CELL * COLUMNS, CELL * max(rows, 1)))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.01, 0.01, 0.98, 0.98))
    for number, landmarks in enumerate(poses):
        corner = np.array([number % COLUMNS, number // COLUMNS])
        for curve in CURVES:
            points = landmarks[list(curve.points), :2]
            points = np.concatenate([points, points[:1]]) if curve.closed else points
            axes.plot(*(points + corner).T, color="black", linewidth=0.6)
    axes.set_xlim(0, COLUMNS)
    axes.set_ylim(max(rows, 1), 0)
    axes.set_aspect("equal")
    axes.set_axis_off()
    figure.savefig(target, dpi=120)
