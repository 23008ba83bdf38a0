"""What is said of a basis: how much it tells of people whom it was not learnt from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from monitor.face.coefficients import BLENDSHAPE_NAMES
from monitor.face.expression import HEAD_SIZE
from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.motion_features import ClipMotion, learn_basis
from monitor.lab.training.basis_size import main, measure, needed, shaking, shares
from tests.monitor.tap.clips import write_clip

WIDTH, WAYS = 40, 6


def moving(seed: int, steps: int = 300, noise: float = 0.0) -> ClipMotion:
    """Somebody whose face moves slowly in the same six ways as everybody's."""
    random = np.random.default_rng(seed)
    ways = np.linalg.qr(np.random.default_rng(99).normal(size=(WIDTH, WAYS)))[0].T
    phase = random.uniform(0, 7, WAYS) + np.arange(steps)[:, None] / 25
    moves = np.sin(phase * np.arange(1, WAYS + 1) * 1.3) * (WAYS - np.arange(WAYS))
    shape = random.normal(0, 2, WIDTH) + moves @ ways + random.normal(0, noise, (steps, WIDTH))
    head, flags = random.normal(0, 0.1, (steps, HEAD_SIZE)).astype(np.float32), np.ones(steps, np.bool_)
    voice = np.zeros((steps, 128), np.float32)
    return ClipMotion(shape.astype(np.float16), head, flags, voice, flags, 200.0, 1.0, 1, "made")


def test_shares_add_up_and_count() -> None:
    basis = learn_basis([(str(n), moving(n)) for n in range(4)], WAYS)
    found = shares(basis, [moving(9), moving(10)])
    assert (np.diff(found) >= 0).all()
    assert found[-1] == pytest.approx(1, abs=0.05)
    assert found[0] < 0.9
    assert needed(np.array([0.5, 0.94, 0.95, 1.0])) == 3
    assert needed(np.array([0.5, 0.6])) == 3


def test_shaking_is_the_share_of_white_noise() -> None:
    assert shaking(moving(0)) < 0.01
    # Faces move by 91/2 in all; noise of 0.5 in forty numbers is 10.
    assert shaking(moving(0, steps=2000, noise=0.5)) == pytest.approx(10 / (91 / 2 + 10), rel=0.1)
    short = moving(0, steps=4)
    assert np.isnan(shaking(short))
    holed = moving(0, steps=20)
    holed.valid[::3] = False
    assert np.isnan(shaking(holed))


def test_people_of_a_fold_are_told_by_the_others() -> None:
    clips = [(Row(Path(), str(n), "real", "real", str(n // 2), fold="ab"[n // 4]), moving(n)) for n in range(8)]
    found = measure(clips, "a", 16)
    assert (found["people"], found["clips"], found["learnt_from"]) == (2, 4, 2)
    assert found["needed"] <= WAYS
    assert len(found["needed_by_person"]) == 4
    assert found["explained"][12] > 0.99
    assert set(found["explained"]) == {8, 12, 16}
    assert found["least_explained"][12] <= found["explained"][12]
    assert found["shaking"][0] <= found["shaking"][2]


def test_a_line_for_each_fold(data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest, split = ["path,label,method,subject,coefficients,sound"], ["path,subject,group,fold"]
    random = np.random.default_rng(0)
    speech = data_dir / "clips/real/DiffDub__reconstruction__RD_Radio22_000_25fps__GT.mp4"
    for name in "ab":
        write_clip(tmp_path / f"{name}.mp4", seconds=2.0)
        told = [
            {
                "time": n / 25,
                "face_blendshapes": [[{"category_name": c, "score": random.random()} for c in BLENDSHAPE_NAMES]],
            }
            for n in range(50)
        ]
        (tmp_path / f"{name}.json").write_text(json.dumps(told))
        manifest.append(f"{name}.mp4,real,real,{name},{name}.json,{speech}")
        split.append(f"{name}.mp4,{name},wild,{name}")
    (tmp_path / "m.csv").write_text("\n".join(manifest))
    (tmp_path / "s.csv").write_text("\n".join(split))
    assert main(tmp_path / "m.csv", tmp_path / "s.csv", tmp_path / "kept", 8) == 2
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["fold"] for line in lines] == ["a", "b"]
    assert lines[0]["people"] == 1
