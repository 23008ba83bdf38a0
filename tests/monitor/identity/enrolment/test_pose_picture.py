"""The picture of accepted poses: lines on white, one cell for each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monitor.face.geometry import canonical
from monitor.identity.enrolment.pose_picture import draw_poses


def face() -> np.typing.NDArray[np.float32]:
    points = canonical()[:, :2]
    return np.asarray((points - points.min(0)) / np.ptp(points, axis=0).max() * 0.7 + 0.15, np.float32)


@pytest.mark.parametrize(("count", "rows"), [(0, 1), (1, 1), (8, 1), (9, 2)])
def test_a_cell_for_each_pose(tmp_path: Path, count: int, rows: int) -> None:
    target = tmp_path / "poses.png"
    draw_poses([face()] * count, target)
    with Image.open(target) as picture:
        seen = np.asarray(picture.convert("L"))
    height, width = seen.shape
    assert width / height == pytest.approx(8 / rows, rel=0.05)
    cells = [
        seen[row * height // rows : (row + 1) * height // rows, column * width // 8 : (column + 1) * width // 8]
        for row in range(rows)
        for column in range(8)
    ]
    assert [bool((cell < 128).any()) for cell in cells] == [n < count for n in range(len(cells))]
