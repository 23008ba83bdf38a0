from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monitor.lab.plotting import DPI, normal_deviates, pyplot, save


def test_a_figure_is_written_and_freed(tmp_path: Path) -> None:
    open_before = pyplot().get_fignums()
    figure, axes = pyplot().subplots(figsize=(2, 1))
    axes.plot([0, 1], [0, 1])
    path = save(figure, tmp_path / "line.png")
    with Image.open(path) as picture:
        assert picture.size == (2 * DPI, DPI)
    assert pyplot().get_fignums() == open_before


def test_rates_become_normal_deviates() -> None:
    deviates = normal_deviates(np.array([0.0, 0.025, 0.5, 0.975, 1.0]), smallest=1e-3)
    assert deviates[1:4] == pytest.approx([-1.959964, 0, 1.959964], abs=1e-6)
    assert deviates[[0, 4]] == pytest.approx([-3.090232, 3.090232], abs=1e-6)
