"""What comparing a face costs is measured on the stream's own face, or the reason why not is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.lab.bench import clip
from monitor.lab.bench import pairwise_cost as comparing
from monitor.lab.bench import persona_cost as moving
from monitor.lab.bench.clip import Stream
from monitor.session.models import Models
from tests.monitor import movers
from tests.monitor.loaded import pairwise, with_faces, with_movement


def test_without_packs_nothing_is_compared(models: Models) -> None:
    stream = Stream((b"",) * 30, (b"",) * 50)
    with pytest.raises(comparing.CannotCompare, match="not installed"):
        comparing.measure(stream, with_faces(models, None))
    with pytest.raises(comparing.CannotCompare, match="compare movement are not installed"):
        moving.measure(stream, with_movement(models, None))


def test_a_pattern_has_no_face(models: Models, stream: Stream) -> None:
    if pairwise(models).encoders is None or pairwise(models).population is None:
        pytest.skip("the packs that compare faces are not installed")
    with pytest.raises(comparing.CannotCompare, match="shows no face"):
        comparing.measure(stream, models)
    with pytest.raises(comparing.CannotCompare, match="nobody who speaks"):
        moving.measure(stream, with_movement(models, movers.engines()))


@pytest.mark.long
@pytest.mark.data
def test_a_face_costs_something(
    models: Models, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if pairwise(models).encoders is None or pairwise(models).population is None:
        pytest.skip("the packs that compare faces are not installed")
    monkeypatch.setattr(clip, "LOOP_SECONDS", 5.0)
    stream = clip.prepare(
        data_dir / "clips/real/DiffDub__reconstruction__RD_Radio22_000_25fps__GT.mp4", tmp_path / "stream.webm"
    )
    assert 0.001 < comparing.measure(stream, models) < 10
    assert 0.0001 < moving.measure(stream, with_movement(models, movers.engines())) < 10
