"""What each way of doing less takes off, measured by turns on a short stream."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.lab.bench import clip
from monitor.lab.bench.clip import Stream
from monitor.lab.bench.levers import AS_BEFORE, SETTINGS, measure
from monitor.lab.bench.pairwise_cost import CannotCompare
from monitor.session.models import Models
from monitor.session.session import SessionConfig

CLIP = "clips/real/LivePortrait__d20.mp4"


def test_what_sessions_do_is_named_the_default() -> None:
    assert next(iter(SETTINGS.values())) is AS_BEFORE
    assert [config for name, config in SETTINGS.items() if "(the default)" in name] == [SessionConfig()]


def test_where_nobody_can_be_claimed_nothing_is_measured(models: Models, stream: Stream) -> None:
    with pytest.raises(CannotCompare):
        measure(stream, models, 1)


@pytest.mark.long
@pytest.mark.data
def test_every_setting_is_measured_in_every_round(
    models: Models, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip, "LOOP_SECONDS", 8.0)
    made = clip.prepare(data_dir / CLIP, tmp_path / "stream.webm")
    progress: list[float] = []
    levers = measure(made, models, 1, progress.append)
    assert [lever.name for lever in levers] == list(SETTINGS)
    assert all(0.0 < lever.least <= lever.cores <= lever.most for lever in levers)
    assert {lever.rounds for lever in levers} == {1}
    assert progress == [1.0]
