"""Recorded clips on the command line: one verdict each, one line for whatever is wrong, and the right status."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from monitor import cli
from monitor.detectors.synchrony.clip import clip_value
from monitor.face.track import FaceView
from monitor.session.clip import ClipJudge, scan
from monitor.session.models import Models, load_models
from monitor.tap.replay import read_clip
from monitor.types import AudioBlock, ClockState, FloatArray, Reason, Stamp, Verdict, VideoFrame
from tests.monitor.tap.clips import write_clip
from tests.monitor.tap.odd_clips import Picture, Sound, damage, without_decoder, write_tracks

CLIP = "clips/real/LivePortrait__d20.mp4"


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
    assert set(found) == {"clip", "participant", "seconds", "tracks", "verdict", "reason", "scores"}
    assert found["clip"].endswith(CLIP)
    assert found["participant"] == "1"
    assert found["seconds"] == pytest.approx(7.0, abs=0.1)
    one = {"number": 1, "count": 1}
    assert found["tracks"] == {"video": {**one, "codec": "h264"}, "audio": {**one, "codec": "aac"}}
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
    clip = write_clip(tmp_path / "clip.mp4", seconds=4.0, **made)
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


def test_which_of_several_tracks_is_judged_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sounds = Sound(500, disposition=Disposition.default), Sound(800)
    clip = write_tracks(tmp_path / "obs.mkv", [Picture(90), *sounds])
    status, (found,), err = judged([clip], capsys)
    assert (status, err) == (
        0,
        ["note: obs.mkv: audio track 1 of 2 is judged (pcm_s16le): --audio takes another"],
    )
    assert found["tracks"]["audio"] == {"number": 1, "count": 2, "codec": "pcm_s16le"}
    status = cli.run(["scan", "--json", "--audio", "2", "--video", "1", str(clip)])
    assert status == 0
    assert json.loads(capsys.readouterr().out)["tracks"]["audio"]["number"] == 2
    status = cli.run(["scan", "--json", "--audio", "3", str(clip)])
    assert (status, capsys.readouterr().err) == (1, "error: obs.mkv has 2 audio tracks: there is no --audio 3\n")


def test_a_track_that_nobody_decodes_is_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_tracks(tmp_path / "a.mp4", [Picture(90, "libx264"), Sound(500, codec="aac")], seconds=6.0)
    status, (found,), err = judged([without_decoder(clip, sound=0)], capsys)
    assert (status, found["reason"], found["tracks"]["audio"]["codec"]) == (0, "unsupported_codec", None)
    assert err == ["note: a.mp4: the audio is of a codec that cannot be decoded here"]


def test_seconds_are_those_of_media(models: Models) -> None:
    judge = ClipJudge(models)
    for start in (0.0, 30.0, 1000.0):
        for n in range(34):
            at = start + 0.03 * n
            judge.push(AudioBlock(Stamp(at, at, 0.001, ClockState.MAPPED, at), np.zeros(480, np.float32)))
    assert judge.judge(Path("a.mp4")).seconds == pytest.approx(3 * 0.99)


@pytest.mark.data
def test_a_face_that_was_recorded_upside_down_is_seen(data_dir: Path, models: Models, tmp_path: Path) -> None:
    # The detector finds faces that stand on their head too, and puts landmarks anywhere.
    target = tmp_path / "turned.mp4"
    with av.open(str(data_dir / CLIP)) as source, av.open(str(target), "w") as out:
        size, video = source.streams.video[0].codec_context, out.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = size.width, size.height, "yuv420p"
        video.set_display_rotation(180)
        for frame in islice(source.decode(video=0), 30):
            turned = np.rot90(frame.to_ndarray(format="rgb24"), 2).astype(np.uint8)
            shown = av.VideoFrame.from_ndarray(np.ascontiguousarray(turned), format="rgb24")
            shown.pts, shown.time_base = frame.pts, frame.time_base
            out.mux(video.encode(shown))
        out.mux(video.encode(None))

    assert np.abs(landmarks(target, models) - landmarks(data_dir / CLIP, models)).mean() < 2


def landmarks(clip: Path, models: Models) -> FloatArray:
    """Where the landmarks (468, 2) of the thirtieth picture are, in pixels."""
    views: list[FaceView | None] = []
    judge = ClipJudge(models, observer=lambda _, view, __: views.append(view))
    for frame in islice((item for item in read_clip(clip) if isinstance(item, VideoFrame)), 30):
        judge.push(frame)
    last = views[-1]
    assert last is not None
    return last.landmarks[:, :2]


def test_damaged_files_end_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of every file a verdict or one line, and never an internal error, which ends the command."""
    shapes = (
        ("mp4", {"video": "libx264"}),
        ("mkv", {"audio": "libopus"}),
        ("webm", {"video": "libvpx", "audio": "libopus"}),
        ("wav", {"video": None, "audio": "pcm_s16le"}),
        ("ts", {"video": "libx264"}),
    )
    clips = []
    for suffix, made in shapes:
        data = write_clip(tmp_path / f"whole.{suffix}", seconds=1.0, size=(64, 48), **made).read_bytes()
        for seed in range(4):
            clips.append(tmp_path / f"{seed}.{suffix}")
            clips[-1].write_bytes(damage(data, 100 + seed))
    status, found, err = judged(clips, capsys)
    refused = [line for line in err if line.startswith("error: ")]
    assert all(line.startswith(("error: ", "note: ")) for line in err)
    assert not any("internal" in line for line in err)
    assert len(found) + len(refused) == len(clips)
    assert status == bool(refused)


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
