"""What becomes a training clip, and how people are held out without a split."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.speech_features import ClipFeatures
from monitor.lab.training.speech_data import MIN_STEPS, divide, to_clip

ROW = Row(Path("a.mp4"), "a.mp4", "real", "real", "ann", "wild", "a")


def features(steps: int, spoken: int, faces: int = 1) -> ClipFeatures:
    flags = np.arange(steps) < spoken
    return ClipFeatures(
        np.zeros((steps, 168), np.float32),
        np.zeros((steps, 36, 36), np.uint8),
        np.ones(steps, np.bool_),
        np.zeros((steps, 4, 80), np.float32),
        flags,
        100.0,
        faces,
    )


def test_a_clip_counts_where_a_face_speaks() -> None:
    clip = to_clip(ROW, features(40, 30))
    assert clip is not None
    assert (clip.name, clip.subject, clip.group, len(clip), clip.good.sum()) == ("a.mp4", "ann", "wild", 40, 30)
    alone = to_clip(replace(ROW, group=""), features(40, 30))
    assert alone is not None
    assert alone.group == "ann"


@pytest.mark.parametrize(
    ("steps", "spoken", "faces"), [(MIN_STEPS - 1, 19, 1), (40, MIN_STEPS // 2 - 1, 1), (40, 40, 2)]
)
def test_too_little_or_too_many_faces_is_no_clip(steps: int, spoken: int, faces: int) -> None:
    assert to_clip(ROW, features(steps, spoken, faces)) is None


def test_least_is_enough() -> None:
    assert to_clip(ROW, features(MIN_STEPS, MIN_STEPS // 2)) is not None


def test_without_a_split_about_a_quarter_of_the_people_is_held_out_whole() -> None:
    rows = [replace(ROW, subject=f"p{n // 2}", fold="") for n in range(400)]
    divided = divide(rows, ["b"])
    held = {row.subject for row in divided if row.fold == "b"}
    assert {row.fold for row in divided} == {"b", "always"}
    assert held.isdisjoint(row.subject for row in divided if row.fold == "always")
    assert 30 < len(held) < 70
    assert divide(rows, ["b"]) == divided


def test_a_split_is_left_as_it_is() -> None:
    rows = [ROW, replace(ROW, fold="")]
    assert divide(rows, ["b"]) == rows
