"""The pictures are drawn, also of next to nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from monitor.lab.evaluate.call_replay import CallOutcome
from monitor.lab.evaluate.plots_extra import draw_live, draw_robustness
from monitor.lab.evaluate.robustness import describe
from tests.monitor.lab.evaluate.test_robustness import made


def ink(path: Path) -> int:
    return int((np.asarray(Image.open(path).convert("L")) < 200).sum())


def call(label: str, method: str, subject: str, *opened: float) -> CallOutcome:
    return CallOutcome(subject, label, method, subject, 60.0, 5.0, 100, 20, opened)


def test_robustness_is_a_grid_of_lines(tmp_path: Path) -> None:
    bare = ink(draw_robustness({}, tmp_path))
    nothing = ink(draw_robustness({"nothing": describe({})}, tmp_path))
    path = draw_robustness({"synchrony": describe(made()), "nothing": describe({})}, tmp_path)
    assert path.name == "robustness.png"
    assert ink(path) > nothing > 0 < bare


def test_times_to_alert_are_steps(tmp_path: Path) -> None:
    bare = ink(draw_live([], tmp_path))
    one = draw_live([call("real", "real", "ann"), call("fake", "x", "ann", 20.0)], tmp_path)
    assert one.name == "live.png"
    lonely = ink(one)
    several = [call("real", "real", "ann", 50.0), *(call("fake", m, f"{n}", 9.0 * n) for n, m in enumerate("xxy"))]
    assert ink(draw_live(several, tmp_path)) > lonely > bare > 0
