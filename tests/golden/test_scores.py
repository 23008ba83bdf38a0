"""Scores of clips stay what they were; `python -m tests.golden.scores --check` compares every clip and way in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.session.models import load_presence
from tests.golden import scores

# Genuine and forged clips of the file, as many of each; every way in and all forty take ten minutes.
FEW, SOME = 2, 10
# Kernels are chosen by the processor, so numbers differ a little from machine to machine. A p-value is a step for each
# person of the calibration, so it moves by several of these where a score moves by a thousandth.
TOLERANCE, P_TOLERANCE = 0.02, 0.1


@pytest.mark.parametrize("count", [FEW, pytest.param(SOME, marks=pytest.mark.long)])
def test_clips_score_as_before(count: int, data_dir: Path, tmp_path: Path) -> None:
    if load_presence() is None:
        pytest.skip("the scores were made where the network hears speech: make speech")
    golden = json.loads(scores.FILE.read_text())["scan"]
    chosen = scores.chosen()
    names = [row["path"] for row in chosen[:: len(chosen) // count][:count]]
    output = scores.command("scan", *(data_dir / name for name in names), "--json", state=tmp_path)
    measured = json.loads(json.dumps(scores._lasting(scores._by_clip(output))))
    assert len(measured) == count
    assert any(clip["scores"]["synchrony"]["score"] is not None for clip in measured.values())
    expected = {name: golden[name] for name in measured}
    for found in (expected, measured):
        found["p-values"] = {name: clip.pop("p_value", None) for name, clip in _scores(found)}
    assert not list(scores.differences(expected.pop("p-values"), measured.pop("p-values"), P_TOLERANCE))
    assert not list(scores.differences(expected, measured, TOLERANCE))


def _scores(found: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The scores of every clip by clip and detector."""
    return [(f"{name} {each}", score) for name, clip in found.items() for each, score in clip["scores"].items()]
