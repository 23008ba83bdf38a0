"""Files of other trackers: what they are called, how they stand, and what is said of those that cannot be used."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.face.coefficients import (
    BLENDSHAPE_NAMES,
    BLENDSHAPES,
    FLAME,
    CoefficientsError,
    find_coefficients,
    read_coefficients,
)
from tests.monitor.face.test_geometry import turn

FRAMES = 20
FLIP = np.diag([1.0, -1.0, -1.0])


def flame(path: Path, drop: tuple[str, ...] = (), **more: Any) -> Path:
    """A FLAME file of a tracker that gives pose in six numbers, at 50 frames a second."""
    steps = np.arange(FRAMES)
    arrays: dict[str, Any] = {
        "exp": np.outer(steps, np.ones(50)),
        "pose": np.zeros((FRAMES, 6)),
        "fps": np.array(50.0),
        **more,
    }
    np.savez(path, allow_pickle=False, **{name: array for name, array in arrays.items() if name not in drop})
    return path


def result(count: int, web: bool = False, matrix: Any = None, **more: Any) -> dict[str, Any]:
    """One result of the face_landmarker as its Python or its web interface spells it."""
    if web:
        one = [{"categoryName": name, "score": count / 100} for name in BLENDSHAPE_NAMES]
        return {"faceBlendshapes": [{"categories": one}], "facialTransformationMatrixes": [matrix], **more}
    one = [{"category_name": name, "score": count / 100} for name in BLENDSHAPE_NAMES]
    return {"face_blendshapes": [one], "facial_transformation_matrixes": [] if matrix is None else [matrix], **more}


def standing(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> NDArray[np.float64]:
    """A transformation with y upwards: 45 cm away, one eye distance to the right of the middle and one below."""
    matrix = np.eye(4)
    matrix[:3, :3] = FLIP @ turn(yaw, pitch, roll) @ FLIP
    matrix[:3, 3] = [8.9, -8.9, -45]
    return matrix


def table(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue())
    return path


def test_flame_is_brought_onto_the_grid(tmp_path: Path) -> None:
    found = read_coefficients(flame(tmp_path / "a.npz"))
    assert (found.name, found.shape.shape, found.head.shape) == (FLAME, (10, 53), (10, 6))
    # 50 frames a second: every second one lies on the grid.
    assert found.shape[:, 0] == pytest.approx(np.arange(0, FRAMES, 2))
    assert found.valid.all()
    assert not found.head.any()


def test_flame_heads_and_jaws_are_told_apart(tmp_path: Path) -> None:
    pose = np.tile([0, np.radians(20), 0, 0.3, 0, 0], (FRAMES, 1))
    found = read_coefficients(flame(tmp_path / "a.npz", pose=pose, cam=np.tile([8, 0.09, -0.18], (FRAMES, 1))))
    assert found.shape[0, -3:] == pytest.approx([0.3, 0, 0])
    # A turn about the axis that points upwards is one the other way about ours, which points downwards.
    assert np.degrees(found.head[0, :3]) == pytest.approx([-20, 0, 0], abs=1e-3)
    assert found.head[0, 3:] == pytest.approx([1, 2, np.log(8)], abs=1e-5)


def test_flame_of_other_trackers(tmp_path: Path) -> None:
    one = np.ones((FRAMES, 3))
    apart = {"expr": np.ones((FRAMES, 1, 100)), "rotation": 0 * one, "jaw_pose": 0.1 * one, "translation": -0.5 * one}
    found = read_coefficients(flame(tmp_path / "a.npz", ("exp", "pose", "fps"), **apart), fps=25)
    assert found.shape.shape == (FRAMES, 103)
    assert found.head[0] == pytest.approx([0, 0, 0, -0.5 / 0.09, 0.5 / 0.09, np.log(2)], abs=1e-4)
    still = read_coefficients(flame(tmp_path / "b.npz", ("pose", "fps"), jaw=one, time=np.arange(FRAMES) / 25))
    assert still.shape.shape == (FRAMES, 53)
    assert not still.head.any()


def test_frames_without_a_face_and_holes_are_not_valid(tmp_path: Path) -> None:
    steps = np.ones((FRAMES, 50))
    steps[4] = np.nan
    found = read_coefficients(flame(tmp_path / "a.npz", exp=steps, fps=np.array(25.0)))
    assert found.valid.tolist() == [n != 4 for n in range(FRAMES)]
    time = np.arange(FRAMES) / 25 + (np.arange(FRAMES) > 9)
    held = read_coefficients(flame(tmp_path / "b.npz", time=time))
    assert len(held.valid) == FRAMES + 25
    assert held.valid[:10].all()
    assert not held.valid[10:35].any()
    assert held.valid[35:].all()


@pytest.mark.parametrize(
    ("drop", "more", "message"),
    [
        (("exp",), {}, "no expression in it"),
        (("pose",), {}, "no jaw in it"),
        (("fps",), {}, "neither fps nor time"),
        ((), {"fps": np.array(0.0)}, "neither fps nor time"),
        ((), {"pose": np.zeros((FRAMES, 5))}, r"pose/posecode is of shape \(20, 5\), not \(20, 6\)"),
        ((), {"jaw": np.zeros((3, 3))}, "write it anew"),
        ((), {"time": np.zeros(FRAMES)}, "times do not advance"),
        ((), {"exp": np.zeros(FRAMES), "cam": np.zeros((FRAMES, 2))}, "is of shape"),
    ],
)
def test_what_a_flame_file_lacks_is_told(
    tmp_path: Path, drop: tuple[str, ...], more: dict[str, Any], message: str
) -> None:
    with pytest.raises(CoefficientsError, match=message) as told:
        read_coefficients(flame(tmp_path / "a.npz", drop, **more))
    assert str(told.value).startswith("a.npz: ")


@pytest.mark.parametrize("web", [False, True])
def test_blendshapes_of_results(tmp_path: Path, web: bool) -> None:
    matrix = standing(20, -10, 5)
    given = {"data": matrix.T.ravel().tolist(), "rows": 4, "columns": 4} if web else matrix.tolist()
    key = "timestampMs" if web else "timestamp_ms"
    frames = [result(n, web, given, **{key: 40 * n}) for n in range(FRAMES)]
    (tmp_path / "a.json").write_text(json.dumps(frames))
    found = read_coefficients(tmp_path / "a.json")
    assert (found.name, found.shape.shape) == (BLENDSHAPES, (FRAMES, 52))
    assert found.shape[:, 7] == pytest.approx(np.arange(FRAMES) / 100)
    assert np.degrees(found.head[0, :3]) == pytest.approx([20, -10, 5], abs=0.01)
    assert found.head[0, 3:] == pytest.approx([1, 1, -np.log(45)], abs=1e-4)


def test_numbers_in_line_by_rows_or_by_columns(tmp_path: Path) -> None:
    matrix = standing(20)
    heads = []
    for given in (matrix.ravel().tolist(), matrix.T.ravel().tolist()):
        (tmp_path / "a.json").write_text(json.dumps({"fps": 25, "frames": [result(n, False, given) for n in range(9)]}))
        heads.append(read_coefficients(tmp_path / "a.json").head[0])
    assert heads[0] == pytest.approx(heads[1])


def test_results_without_a_face_and_without_a_head(tmp_path: Path) -> None:
    frames = [result(n, time=n / 25) for n in range(9)]
    frames[3] = {"face_blendshapes": [], "time": 3 / 25}
    (tmp_path / "a.json").write_text(json.dumps(frames))
    found = read_coefficients(tmp_path / "a.json")
    assert found.valid.tolist() == [n != 3 for n in range(9)]
    assert not found.head.any()


def test_blendshapes_of_a_table(tmp_path: Path) -> None:
    names = BLENDSHAPE_NAMES[1:]
    turned = standing(20)
    whole = {f"m{i}{j}": turned[i, j] for i in range(3) for j in range(4)}
    rows = [{"timestamp_ms": 40 * n, **dict.fromkeys(names, n / 100), **whole} for n in range(9)]
    found = read_coefficients(table(tmp_path / "a.csv", rows))
    assert found.shape[2, 1:] == pytest.approx(np.full(51, 0.02))
    assert not found.shape[:, 0].any()
    assert np.degrees(found.head[0, 0]) == pytest.approx(20, abs=0.01)
    angles = [{"time": n / 25, **dict.fromkeys(names, n / 100 if n != 4 else ""), "yaw": 10} for n in range(9)]
    found = read_coefficients(table(tmp_path / "b.csv", angles))
    assert np.degrees(found.head[0, :3]) == pytest.approx([10, 0, 0])
    assert found.valid.tolist() == [n != 4 for n in range(9)]
    # Frames that no face was found in are left out of the table: their numbers tell.
    numbered = [{"frame": n, **dict.fromkeys(names, n)} for n in (0, 1, 2, 9, 10)]
    found = read_coefficients(table(tmp_path / "c.csv", numbered), fps=25)
    assert found.valid.tolist() == [n in (0, 1, 2, 9, 10) for n in range(11)]
    unnumbered = [dict.fromkeys(names, n) for n in range(4)]
    assert read_coefficients(table(tmp_path / "d.csv", unnumbered), fps=25).shape[:, 5].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt", b"", "a.txt is not a .npz, .csv or .json"),
        ("a.npz", b"PK\x03\x04", "cannot be read"),
        ("a.npz", b"", "cannot be read"),
        ("a.json", b"{", "cannot be read"),
        ("a.json", b"[]", "no blendshapes in it"),
        ("a.json", json.dumps([result(0)]).encode(), "no times in it"),
        ("a.json", json.dumps([result(0, time=0)]).encode(), "times do not advance"),
        ("a.json", json.dumps([{"face_blendshapes": [[]], "time": 0}]).encode(), "no browDownLeft in it and 50 more"),
        ("a.csv", b"time,jawOpen\n0,1\n", "no browDownLeft in it and 49 more"),
        ("a.csv", (",".join(BLENDSHAPE_NAMES) + "\n" + ",".join(["0"] * 52)).encode(), "no times in it"),
        ("a.csv", ("time," + ",".join(BLENDSHAPE_NAMES) + "\n").encode(), "times do not advance"),
        ("a.csv", ("time," + ",".join(BLENDSHAPE_NAMES) + "\n" + ",".join(["x"] * 53)).encode(), "cannot be read"),
        (
            "a.csv",
            ("time," + ",".join(BLENDSHAPE_NAMES) + "\n" + ("nan" + ",0" * 52 + "\n") * 2).encode(),
            "do not advance",
        ),
        (
            "a.csv",
            ("time," + ",".join(BLENDSHAPE_NAMES) + "\n0" + ",0" * 52 + "\n40" + ",0" * 52).encode(),
            "give times in seconds",
        ),
        ("a.csv", b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CoefficientsError, match=message) as told:
        read_coefficients(tmp_path / name)
    assert "\n" not in str(told.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CoefficientsError, match=r"no\.npz cannot be read"):
        read_coefficients(tmp_path / "no.npz")


def test_a_file_beside_a_clip_is_found_by_its_name(tmp_path: Path) -> None:
    assert find_coefficients(tmp_path / "a.mp4") is None
    (tmp_path / "a.blendshapes.csv").touch()
    assert find_coefficients(tmp_path / "a.mp4") == tmp_path / "a.blendshapes.csv"
    (tmp_path / "a.flame.npz").touch()
    assert find_coefficients(tmp_path / "a.mp4") == tmp_path / "a.flame.npz"
