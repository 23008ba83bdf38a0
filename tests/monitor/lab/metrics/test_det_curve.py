"""The DET plot: drawn for several sets, and another for other distances."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("matplotlib", reason="plots need matplotlib: install the extra `evaluate`")

from monitor.lab.metrics.det_curve import draw_det


def test_a_set_is_a_line_and_its_distances_are_what_is_drawn(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    same = np.arange(400) < 200
    near = np.where(same, 0.3, 0.5) + random.normal(0, 0.1, 400)
    far = np.where(same, 0.3, 0.9) + random.normal(0, 0.1, 400)

    def picture(name: str, **sets: np.ndarray) -> np.ndarray:
        path = draw_det({title: (distances, same) for title, distances in sets.items()}, tmp_path / name)
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"), np.int16)

    one, again, other = picture("1.png", near=near), picture("2.png", near=near), picture("3.png", near=far)
    both = picture("4.png", near=near, far=far)
    assert min(one.shape[:2]) > 400
    assert (one == again).all()
    assert (one != other).any()
    # The second line has the second colour of the cycle, which the first plot does not hold.
    orange = np.array([255, 127, 14])
    assert (np.abs(both - orange).sum(axis=2) < 12).any()
    assert not (np.abs(one - orange).sum(axis=2) < 12).any()
