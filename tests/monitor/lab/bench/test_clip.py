"""The stream that is sent, and the clip that it is made of."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from monitor.lab.bench.clip import FPS, OPUS_FRAMES_PER_SECOND, Stream, choose, generated, prepare
from monitor.tap.media.source import SourceError
from monitor.tap.replay import read_clip
from monitor.types import AudioBlock, VideoFrame
from tests.monitor.tap.clips import write_clip


def test_the_loop_is_a_whole_number_of_tenths_in_both_tracks(stream: Stream) -> None:
    assert 1.0 <= stream.seconds <= 1.6
    assert len(stream.video) / FPS == pytest.approx(len(stream.audio) / OPUS_FRAMES_PER_SECOND)
    assert len(stream.video) % 3 == len(stream.audio) % 5 == 0
    # RFC 6386, 9.1: the lowest bit of a VP8 frame is 0 in a key frame; a loop must begin with one.
    assert stream.video[0][0] & 1 == 0
    assert stream.video[1][0] & 1 == 1


def test_the_stream_is_what_the_budget_speaks_of(stream: Stream, folder: Path) -> None:
    frames = [item for item in read_clip(folder / "stream.webm") if isinstance(item, VideoFrame)]
    assert {(frame.width, frame.height) for frame in frames} == {(1280, 720)}
    assert len(frames) - len(stream.video) in range(3)
    steps = {round(1000 * (b.stamp.capture - a.stamp.capture)) for a, b in pairwise(frames)}
    assert steps <= {33, 34}
    # The flash of the clip: white in its first tenth, dark after it; 4:3 in the middle, grey at the sides.
    assert frames[1].y[400, 640] > 200
    assert frames[15].y[400, 640] < 80
    assert 110 < frames[15].y[400, 20] < 146


def test_sound_and_pictures_of_the_stream_stay_together(folder: Path, stream: Stream) -> None:
    assert stream.seconds > 1.2
    blocks = [item for item in read_clip(folder / "stream.webm") if isinstance(item, AudioBlock)]
    loud = [block.stamp.capture for block in blocks if abs(block.samples).max() > 0.1]
    assert min(loud) < 0.06
    assert any(0.95 < at < 1.1 for at in loud)
    assert not any(0.3 < at < 0.9 for at in loud)


@pytest.mark.parametrize("lacking", [{"seconds": 0.5}, {"audio": None}, {"video": None}])
def test_a_clip_that_is_no_loop_is_refused(lacking: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^short\.mp4 has less than a second .*: give another --clip$"):
        prepare(write_clip(tmp_path / "short.mp4", **lacking), tmp_path / "out.webm")


def test_the_generated_pattern_moves_and_sounds() -> None:
    seconds, sound, pictures = generated()
    first, second = next(pictures), next(pictures)
    assert first[0].shape == (720, 1280)
    assert (first[0] != second[0]).any()
    assert sound.size == seconds * 16_000
    assert 0.1 < abs(sound).max() <= 1.0


def test_the_largest_genuine_clip_is_chosen(tmp_path: Path) -> None:
    lines = ["path,label,method,subject,seconds,audio"]
    for name, label, method, size, seconds in (
        ("small.mp4", "real", "real", (64, 48), 20),
        ("large.mp4", "real", "real", (128, 96), 10),
        ("largest-fake.mp4", "fake", "swap", (256, 192), 20),
        ("short.mp4", "real", "real", (256, 192), 2),
    ):
        write_clip(tmp_path / name, seconds=0.2, size=size)
        lines.append(f"{name},{label},{method},x,{seconds},yes")
    lines.append("gone.mp4,real,real,x,20,yes")
    (tmp_path / "broken.mp4").write_bytes(b"no clip")
    lines.append("broken.mp4,real,real,x,20,yes")
    (tmp_path / "clips.csv").write_text("\n".join(lines))
    assert choose({"SIDEWITNESS_DATA": str(tmp_path)}) == tmp_path / "large.mp4"
    assert choose({"SIDEWITNESS_DATA": str(tmp_path / "absent")}) is None
    (tmp_path / "clips.csv").write_text("other,columns\n1,2\n")
    assert choose({"SIDEWITNESS_DATA": str(tmp_path)}) is None
