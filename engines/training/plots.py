"""Pictures of how runs went; matplotlib is imported when one is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@contextmanager
def history_plot(path: Path, panels: int = 1) -> Iterator[list[Axes]]:
    """Give empty panels side by side, over minutes of training, and write them as a PNG when the block ends."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, grid = plt.subplots(
        1, panels, figsize=(7, 4) if panels == 1 else (5 * panels, 4), squeeze=False, layout="constrained"
    )
    axes: list[Axes] = list(grid[0])
    try:
        yield axes
        for panel in axes:
            panel.set(xlabel="minutes of training")
            panel.grid(alpha=0.3)
        figure.savefig(path, dpi=120)
    finally:
        plt.close(figure)
