"""The curves are drawn, also of next to nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from monitor.evaluation import Result
from monitor.pictures import draw


def results(count: int) -> list[Result]:
    random = np.random.default_rng(0)
    return [
        Result(f"{n}", label, label, f"{n}", float(random.normal(label == "fake")), None)
        for n in range(count)
        for label in ("real", "fake")
    ]


def ink(path: Path) -> int:
    return int((np.asarray(Image.open(path).convert("L")) < 200).sum())


def test_both_pictures_show_what_can_be_drawn(tmp_path: Path) -> None:
    empty, full = tmp_path / "empty", tmp_path / "full"
    empty.mkdir()
    full.mkdir()
    nothing = draw({"abstained": [Result("a", "real", "real", "a", None, "silence")]}, empty)
    drawn = draw({"synchrony": results(40), "one sided": results(1)[:1]}, full)
    assert [path.name for path in drawn] == ["roc.png", "det.png"] == [path.name for path in nothing]
    for bare, curves in zip(nothing, drawn, strict=True):
        assert ink(curves) > ink(bare) > 0
