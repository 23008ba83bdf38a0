"""The pictures are drawn, also of next to nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from monitor.lab.evaluate.call_replay import CallOutcome
from monitor.lab.evaluate.plots import (
    MIN_CURVE_CLIPS,
    draw,
    draw_live,
    draw_methods,
    draw_mismatch,
    draw_robustness,
    draw_subjects,
)
from monitor.lab.evaluate.robustness import describe
from monitor.lab.metrics.summary import Result, by_method, summarise
from tests.monitor.lab.evaluate.test_robustness import made

NOTHING = [Result("a", "real", "real", "a", None, "silence")]


def results(count: int, methods: int = 1) -> list[Result]:
    random = np.random.default_rng(0)
    found = [Result(f"{n}", "real", "real", f"{n}", float(random.normal()), None) for n in range(count)]
    for method in range(methods):
        scores = random.normal(loc=method, size=count)
        found += [
            Result(f"{n}-{method}", "fake", f"method {method}", f"{n}", float(score), None)
            for n, score in enumerate(scores)
        ]
    return found


def ink(path: Path) -> int:
    return int((np.asarray(Image.open(path).convert("L")) < 200).sum())


def width(path: Path) -> int:
    with Image.open(path) as picture:
        return int(picture.width)


def test_both_curves_show_what_can_be_drawn(tmp_path: Path) -> None:
    empty, full = tmp_path / "empty", tmp_path / "full"
    empty.mkdir()
    full.mkdir()
    nothing = draw({"abstained": NOTHING}, empty)
    drawn = draw({"synchrony": results(40), "one sided": results(1)[:1]}, full)
    assert [path.name for path in drawn] == ["roc.png", "det.png"] == [path.name for path in nothing]
    for bare, curves in zip(nothing, drawn, strict=True):
        assert ink(curves) > ink(bare) > 0


def test_every_method_with_enough_clips_has_a_panel(tmp_path: Path) -> None:
    sizes = []
    # One panel, two, and five in rows of four.
    for found in (results(20), [*results(20), *results(MIN_CURVE_CLIPS - 1, 2)], results(20, 4)):
        roc, det = draw({"synchrony": found}, tmp_path)
        sizes.append(width(roc))
    assert sizes[0] < sizes[1] < sizes[2]
    assert ink(det) > 1000


def test_mismatches_are_drawn_by_length(tmp_path: Path) -> None:
    drawn = draw_mismatch({f"{n} s": {"other": results(20), "shift": results(20)} for n in (2, 5)}, tmp_path)
    assert [path.name for path in drawn] == ["mismatch-roc.png", "mismatch-det.png"]
    assert min(ink(path) for path in drawn) > 1000


def test_areas_and_subjects_of_several_detectors(tmp_path: Path) -> None:
    sets = {"synchrony": results(80, 3), "other": results(10, 2), "silent": NOTHING}
    summaries = {name: {**summarise(found), "methods": by_method(found)} for name, found in sets.items()}
    full = ink(draw_methods(summaries, tmp_path)), ink(draw_subjects(sets, tmp_path))
    nothing = {"silent": NOTHING}
    summary = {"silent": {**summarise(NOTHING), "methods": {}}}
    assert full[0] > ink(draw_methods(summary, tmp_path)) > 0
    assert full[1] > ink(draw_subjects(nothing, tmp_path)) > 0


def call(label: str, method: str, subject: str, *opened: float) -> CallOutcome:
    return CallOutcome(subject, label, method, subject, 60.0, 5.0, 100, 20, opened)


def test_robustness_is_a_grid_of_lines(tmp_path: Path) -> None:
    bare = ink(draw_robustness({}, tmp_path))
    path = draw_robustness({"synchrony": describe(made()), "nothing": describe({})}, tmp_path)
    assert path.name == "robustness.png"
    assert ink(path) > bare > 0


def test_times_to_alert_are_steps(tmp_path: Path) -> None:
    bare = ink(draw_live([], tmp_path))
    one = draw_live([call("real", "real", "ann"), call("fake", "x", "ann", 20.0)], tmp_path)
    assert one.name == "live.png"
    lonely = ink(one)
    several = [call("real", "real", "ann", 50.0), *(call("fake", m, f"{n}", 9.0 * n) for n, m in enumerate("xxy"))]
    assert ink(draw_live(several, tmp_path)) > lonely > bare > 0
