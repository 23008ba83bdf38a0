"""SpeechForensics' way for real, on small networks and a short clip; no timing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the peer needs torch: install the extra `train`")

from engines.nets.speechforensics import SpeechForensics
from monitor import cli
from monitor.lab.bench import enrolment, peer_cost, run
from monitor.lab.bench.child import BenchError
from monitor.lab.bench.peer import ALONE, EVERY, PEER, PeerComparison, over
from monitor.lab.bench.processes import BenchSetup
from monitor.lab.bench.result import BenchResult
from monitor.tap.media.source import SourceError
from tests.engines.published import SMALL
from tests.monitor.lab.bench.test_capacity import MACHINE, SETTINGS
from tests.monitor.tap.clips import write_clip


@pytest.fixture
def all_cores() -> Iterator[None]:
    """What is kept to one core is let go again."""
    before = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, before)


def small() -> SpeechForensics:
    return SpeechForensics(SMALL, stacks=1)


@pytest.mark.usefixtures("all_cores")
def test_every_stage_of_a_short_stream_is_measured(webm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_cost, "WIDTH", 128)
    monkeypatch.setattr(peer_cost, "HEIGHT", 72)
    found = peer_cost.measure_here(webm, 1, small)
    assert [(stage.frames, stage.batch) for stage in found.stages[1:3]] == [(1, 1)] * 2
    decoded, lips, voice = (found.stages[number].frames for number in (0, 5, 6))
    # The stream is 1.5 s or a little less; the filterbank needs 15 ms beyond its last step.
    assert 30 < decoded <= 38
    assert lips == decoded
    assert abs(voice - decoded) <= 3
    assert found.stages[5].batch == lips
    assert found.threads == 1
    assert len(os.sched_getaffinity(0)) == 1
    assert found.memory_mb > 50
    assert set(found.parameters) == {"RetinaFace", "FAN", "AV-HuBERT"}


@pytest.mark.usefixtures("all_cores")
def test_a_stream_that_is_too_short_is_refused(webm: Path) -> None:
    with pytest.raises(SourceError, match="too little in it: give a longer --clip"):
        peer_cost.measure_here(webm, 1000, small)


def test_pictures_are_those_shown_at_25_a_second_and_sound_is_as_long(webm: Path) -> None:
    shown = peer_cost.pictures(webm, 20)
    assert [picture.shape for picture in shown] == [(480, 854, 3)] * 20
    assert len({picture.tobytes() for picture in shown}) == 20
    samples = peer_cost.sound(webm, 20)
    assert len(samples) == 20 * 640
    assert np.abs(samples).max() > 0.01


async def test_a_clip_that_is_none_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "notes.webm").write_text("no clip")
    with pytest.raises(BenchError, match=r"^SpeechForensics' way failed: "):
        await peer_cost.measure(tmp_path / "notes.webm", BenchSetup(tmp_path), 1)


def test_where_it_cannot_run_the_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> PeerComparison:
        raise BenchError("it was killed")

    monkeypatch.setattr(peer_cost, "measure", broken)
    options, setup = run.Options(peer=True), BenchSetup(Path())
    bench = run.Bench(options, None, Path("s.webm"), None, setup, 2, lambda *_: None)  # type: ignore[arg-type]
    result = run.loads(bench, BenchResult(MACHINE, SETTINGS))
    assert result.notes == ["The part peer could not run: it was killed."]


@pytest.mark.long
def test_the_command_compares_both_in_one_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(*_: object) -> enrolment.Enrolled:
        raise BenchError("no face was found")

    monkeypatch.setattr(enrolment, "enrol_clip", nobody)
    monkeypatch.setattr(peer_cost, "FRAMES", 1)
    clip = write_clip(tmp_path / "clip.mp4", seconds=1.6)
    assert cli.run(["bench", "--only", "--peer", "--clip", str(clip), "--json", "--out", str(tmp_path / "out")]) == 0
    said = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in said["rows"]}
    assert rows[PEER]["value"] > rows[ALONE]["value"] > 0
    assert rows[over(ALONE)]["value"] == said["peer"]["times"][ALONE] > 1
    assert rows[EVERY]["value"] is None
    assert said["peer"]["peer"]["threads"] == 1
    assert (tmp_path / "out" / "bench.json").is_file()
