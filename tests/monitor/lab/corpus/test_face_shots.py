from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from engines.base import Engine
from monitor.face.shot import FaceShot
from monitor.identity.enrolment.condition_ladder import RUNGS
from monitor.lab.corpus.face_shots import (
    MAX_SHOTS,
    SECONDS_BETWEEN_SHOTS,
    ClipLooks,
    ladder_key,
    load_looks,
    moments_of,
    read_looks,
    write_looks,
)
from monitor.lab.corpus.manifest import Row
from monitor.tap.replay import read_clip
from monitor.types import MediaItem
from tests.monitor.face.test_encoders import shot


def same(a: FaceShot, b: FaceShot) -> bool:
    parts = [(getattr(a, f.name), getattr(b, f.name)) for f in fields(FaceShot) if f.name != "pose"]
    parts += [(getattr(a.pose, name), getattr(b.pose, name)) for name in ("scale", "rotation", "shift")]
    return all(np.array_equal(x, y) for x, y in parts)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    first = [shot(float(n), 10 * n) for n in range(3)]
    again = [replace(one, picture=one.picture // 2, size=70.0, sharpness=0.05) for one in first]
    write_looks(ClipLooks({"as recorded": first, "poor line": again}, 123.5), tmp_path / "a.npz")
    looks = read_looks(tmp_path / "a.npz")
    assert looks.bitrate == 123.5
    assert len(looks) == 3
    assert all(same(*pair) for pair in zip(looks.rungs["as recorded"], first, strict=True))
    assert all(same(*pair) for pair in zip(looks.rungs["poor line"], again, strict=True))
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_another_ladder_has_another_key() -> None:
    assert ladder_key(RUNGS) == ladder_key(list(RUNGS))
    changed = (*RUNGS[:3], replace(RUNGS[3], quantiser=RUNGS[3].quantiser + 1), *RUNGS[4:])
    assert len({ladder_key(RUNGS), ladder_key(RUNGS[:1]), ladder_key(changed)}) == 3


def test_a_clip_without_a_face_is_kept_as_such(tmp_path: Path) -> None:
    write_looks(ClipLooks({"as recorded": []}, 1.0), tmp_path / "a.npz")
    assert len(read_looks(tmp_path / "a.npz")) == 0
    assert len(ClipLooks({}, 0.0)) == 0


@pytest.mark.data
def test_looks_of_a_clip(data_dir: Path, tmp_path: Path, detector: Engine, landmarks: Engine) -> None:
    path = data_dir / "clips" / "real" / "LipReadingQuiz__nicole_amount.mp4"
    found = moments_of(read_clip(path), detector, landmarks)
    assert 5 <= len(found) <= MAX_SHOTS
    times = [moment.shot.time for moment in found]
    assert np.diff(times).min() > SECONDS_BETWEEN_SHOTS - 0.05
    assert len(moments_of(read_clip(path), detector, landmarks, max_shots=4)) == 4
    assert len(moments_of(read_clip(path), detector, landmarks, seconds=1.0)) < len(found)
    rows = [Row(path, "a", "real", "real", "p"), Row(data_dir / "no.mp4", "b", "real", "real", "p")]
    counts: list[int] = []
    (_, looks), (_, reason) = load_looks(rows, tmp_path, 1, RUNGS, counts.append)
    assert isinstance(looks, ClipLooks)
    assert list(looks.rungs) == [step.name for step in RUNGS]
    assert len(looks) == len(found)
    assert 50 < looks.bitrate < 5000
    assert isinstance(reason, str)
    assert counts == [1, 2]
    stored = next(tmp_path.glob("*.npz")).stat().st_mtime_ns
    list(load_looks(rows[:1], tmp_path, 1, RUNGS, counts.append))
    assert next(tmp_path.glob("*.npz")).stat().st_mtime_ns == stored


def test_without_pictures_there_are_no_moments(detector: Engine, landmarks: Engine) -> None:
    nothing: list[MediaItem] = []
    assert moments_of(nothing, detector, landmarks) == []
