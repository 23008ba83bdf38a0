"""Scores of clips stay what they were; `python -m tests.golden.scores --check` compares every clip and way in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.session.models import load_presence
from tests.golden import scores

# Genuine and forged clips of the file; every way in and all forty take ten minutes.
COUNT = 6
# Kernels are chosen by the processor, so numbers differ a little from machine to machine.
TOLERANCE = 0.02


def test_clips_score_as_before(data_dir: Path, tmp_path: Path) -> None:
    if load_presence() is None:
        pytest.skip("the scores were made where the network hears speech: make speech")
    golden = json.loads(scores.FILE.read_text())["scan"]
    chosen = scores.chosen()
    names = [row["path"] for row in chosen[:: len(chosen) // COUNT][:COUNT]]
    output = scores.command("scan", *(data_dir / name for name in names), "--json", state=tmp_path)
    measured = json.loads(json.dumps(scores._lasting(scores._by_clip(output))))
    assert len(measured) == COUNT
    assert any(clip["scores"]["synchrony"]["score"] is not None for clip in measured.values())
    expected = {name: golden[name] for name in measured}
    assert not list(scores.differences(expected, measured, TOLERANCE))
