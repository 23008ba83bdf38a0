"""Recorded clips on the command line: one verdict each, one line for whatever is wrong, and the right status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor import cli
from monitor.detectors.synchrony.clip import clip_value
from monitor.session.clip import scan
from monitor.session.models import Models, load_models
from monitor.types import Reason, Verdict
from tests.monitor.tap.clips import write_clip

CLIP = "clips/real/LivePortrait__d12.mp4"


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models()


def judged(paths: list[Path], capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]], list[str]]:
    """Exit status, JSON lines and lines on stderr of `sidewitness scan --json`."""
    status = cli.run(["scan", "--json", *map(str, paths)])
    said = capsys.readouterr()
    return status, [json.loads(line) for line in said.out.splitlines()], said.err.splitlines()


@pytest.mark.data
def test_a_genuine_clip_is_judged(data_dir: Path, models: Models, capsys: pytest.CaptureFixture[str]) -> None:
    status, (found,), err = judged([data_dir / CLIP], capsys)
    assert (status, err) == (0, [])
    assert set(found) == {"clip", "participant", "seconds", "verdict", "reason", "scores"}
    assert found["clip"].endswith(CLIP)
    assert found["participant"] == "1"
    assert found["seconds"] == pytest.approx(7.3, abs=0.1)
    assert found["verdict"] in {"inconclusive", "suspect", "alert"}
    score = found["scores"]["synchrony"]
    assert set(score) == {"score", "p_value", "reason", "evidence"}
    assert -1 <= score["score"] <= 1
    assert 0 < score["p_value"] <= 1
    assert score["evidence"]["windows"] >= 1


@pytest.mark.data
def test_progress_rises_to_the_end(data_dir: Path, models: Models) -> None:
    seen: list[float] = []
    verdict = scan(data_dir / CLIP, models, progress=seen.append)
    assert seen == sorted(seen)
    assert verdict.seconds - 0.6 < seen[-1] <= verdict.seconds
    assert verdict.faults == ()


@pytest.mark.data
def test_a_table_is_for_people(data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Square brackets are markup to the table; in a name they are letters.
    odd = tmp_path / "a[b]c.mp4"
    odd.write_bytes((data_dir / CLIP).read_bytes())
    assert cli.run(["scan", str(odd), "--window", "10", "--identity", "Ann"]) == 0
    said = capsys.readouterr()
    assert "a[b]c.mp4" in said.out
    assert "movement" in said.out
    assert "nobody is enrolled under that name" in said.err
    assert "Ann" not in said.err


@pytest.mark.parametrize(
    ("made", "reason", "note"),
    [
        ({"audio": None}, Reason.NO_AUDIO, "has no sound"),
        ({"video": None, "audio": "aac"}, Reason.NO_VIDEO, "has no picture"),
        ({"fps": 5.0}, Reason.LOW_FRAME_RATE, None),
        ({}, Reason.NO_FACE, None),
    ],
)
def test_what_is_missing_is_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], made: dict[str, Any], reason: Reason, note: str | None
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", seconds=7.0, **made)
    status, (found,), err = judged([clip], capsys)
    assert status == 0
    assert (found["verdict"], found["reason"]) == ("inconclusive", reason.value)
    assert found["scores"]["synchrony"]["score"] is None
    assert len(err) == (note is not None)
    assert all(line.startswith("note: clip.mp4: ") for line in err)


@pytest.mark.data
def test_silence_is_the_reason(data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, (found,), _ = judged([muted(data_dir / CLIP, tmp_path / "mute.mkv")], capsys)
    assert status == 0
    assert (found["verdict"], found["reason"]) == ("inconclusive", "silence")


def muted(clip: Path, target: Path) -> Path:
    """The pictures of a clip with digital silence for sound."""
    import av

    with av.open(str(clip)) as source, av.open(str(target), "w") as out:
        pictures = source.streams.video[0]
        copy, sound = out.add_stream_from_template(pictures), out.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for packet in source.demux(pictures):
            if packet.dts is not None:
                packet.stream = copy
                out.mux(packet)
        for first in range(0, 7 * 16_000, 1600):
            silent = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), format="s16", layout="mono")
            silent.sample_rate, silent.pts = 16_000, first
            out.mux(sound.encode(silent))
        out.mux(sound.encode(None))
    return target


@pytest.mark.parametrize("content", [b"these are words, not a video", b"", None])
def test_what_is_not_a_clip_is_one_line_and_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    bad, good = tmp_path / "bad.mp4", write_clip(tmp_path / "good.mp4", seconds=1.0)
    if content is not None:
        bad.write_bytes(content)
    status, found, err = judged([bad, good], capsys)
    assert status == 1
    assert [Path(one["clip"]).name for one in found] == ["good.mp4"]
    (line,) = err
    assert line.startswith("error: ")
    assert "bad.mp4" in line


@pytest.mark.parametrize(("seconds", "reason"), [(0.3, Reason.WARMING_UP), (1.2, Reason.NO_FACE)])
def test_a_short_clip_is_still_judged(tmp_path: Path, models: Models, seconds: float, reason: Reason) -> None:
    verdict = scan(write_clip(tmp_path / "short.mp4", seconds=seconds), models)
    assert verdict.verdict is Verdict.INCONCLUSIVE
    assert verdict.reason is reason
    assert verdict.seconds == pytest.approx(seconds, abs=0.1)


LENGTHS = (2.0, 3.0, 4.0)


@pytest.mark.parametrize(
    ("windows", "value"),
    [
        ([(-0.5, 2.1)], (-0.5, 2.1, 1)),
        ([(-0.5, 2.1), (-0.3, 3.0)], (-0.3, 3.0, 1)),
        ([(-0.5, 3.9), (-0.3, 3.0), (0.9, 2.9)], (-0.4, 3.0, 2)),
        ([(-0.1, 4.0), (-0.2, 9.0), (-0.3, 4.5)], (-0.2, 4.0, 3)),
        ([(-0.5, 1.0), (-0.1, 1.5)], (-0.3, 1.0, 2)),
    ],
)
def test_a_clip_is_the_mean_of_the_windows_with_the_most_speech(
    windows: list[tuple[float, float]], value: tuple[float, float, int]
) -> None:
    assert clip_value(windows, LENGTHS) == pytest.approx(value)
