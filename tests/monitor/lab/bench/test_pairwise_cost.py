"""What comparing a face costs is measured on the stream's own face, or the reason why not is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.lab.bench import pairwise_cost as comparing
from monitor.lab.bench import persona_cost as moving
from monitor.lab.bench.clip import Stream, prepare
from monitor.session.models import Models, load_models
from tests.monitor import movers
from tests.monitor.loaded import pairwise, with_faces, with_movement
from tests.monitor.tap.clips import write_clip


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models()


def stream_of(clip: Path, folder: Path) -> Stream:
    return prepare(clip, folder / "stream.webm", lambda _: None)


def test_without_packs_nothing_is_compared(models: Models) -> None:
    stream = Stream((b"",) * 30, (b"",) * 50)
    with pytest.raises(comparing.CannotCompare, match="not installed"):
        comparing.measure(stream, with_faces(models, None))
    with pytest.raises(comparing.CannotCompare, match="compare movement are not installed"):
        moving.measure(stream, with_movement(models, None))


def test_a_pattern_has_no_face(models: Models, tmp_path: Path) -> None:
    if pairwise(models).encoders is None or pairwise(models).population is None:
        pytest.skip("the packs that compare faces are not installed")
    stream = stream_of(write_clip(tmp_path / "clip.mp4", seconds=1.6), tmp_path)
    with pytest.raises(comparing.CannotCompare, match="shows no face"):
        comparing.measure(stream, models)
    with pytest.raises(comparing.CannotCompare, match="nobody who speaks"):
        moving.measure(stream, with_movement(models, movers.engines()))


@pytest.mark.data
def test_a_face_costs_something(models: Models, data_dir: Path, tmp_path: Path) -> None:
    if pairwise(models).encoders is None or pairwise(models).population is None:
        pytest.skip("the packs that compare faces are not installed")
    stream = stream_of(data_dir / "clips/real/LivePortrait__d12.mp4", tmp_path)
    assert 0.001 < comparing.measure(stream, models) < 10
    assert 0.0001 < moving.measure(stream, with_movement(models, movers.engines())) < 10
