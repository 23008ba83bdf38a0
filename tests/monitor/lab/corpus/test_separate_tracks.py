"""Pictures and sound from files of their own, or pictures from a folder, read as one clip."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monitor.lab.corpus.separate_tracks import read_pair, read_pictures
from monitor.tap.media.source import SourceError
from monitor.tap.replay import read_clip
from monitor.types import AudioBlock, TrackFault, VideoFrame
from tests.monitor.tap.clips import write_clip


def times(items: Sequence[object]) -> list[float]:
    return [item.stamp.capture for item in items if isinstance(item, VideoFrame | AudioBlock)]


def test_two_files_are_read_as_one_clip(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mp4", seconds=1.0)
    silent = write_clip(tmp_path / "silent.mp4", seconds=1.0, audio=None)
    sound = write_clip(tmp_path / "sound.m4a", seconds=1.0, video=None)
    apart, together = list(read_pair(silent, sound)), list(read_clip(whole))
    assert [type(item) for item in apart] == [type(item) for item in together]
    assert times(apart) == pytest.approx(times(together), abs=1e-3)
    assert all(a <= b for a, b in pairwise(times(apart)))
    # The clip's own sound, and that its file of sound has no pictures, are of no interest.
    both = list(read_pair(whole, sound))
    assert len(both) == len(together)
    assert not any(isinstance(item, TrackFault) for item in both)


def test_a_file_of_sound_that_has_none_is_told(tmp_path: Path) -> None:
    silent = write_clip(tmp_path / "silent.mp4", seconds=0.4, audio=None)
    faults = [item for item in read_pair(silent, silent) if isinstance(item, TrackFault)]
    assert [fault.track for fault in faults] == ["audio"]


def jpeg(path: Path, grey: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((48, 64, 3), grey, np.uint8)).save(path, format="JPEG")


def test_a_folder_of_pictures_is_a_video_at_25_a_second(tmp_path: Path) -> None:
    for n in range(5):
        jpeg(tmp_path / "sa1" / f"{n + 1:03d}", 40 * n)
    frames = list(read_pictures(tmp_path / "sa1"))
    assert [frame.stamp.capture for frame in frames] == pytest.approx([0.0, 0.04, 0.08, 0.12, 0.16])
    assert (frames[0].width, frames[0].height) == (64, 48)
    assert all(a.y.mean() < b.y.mean() for a, b in pairwise(frames))
    sound = write_clip(tmp_path / "sa1.m4a", seconds=0.2, video=None)
    assert len(list(read_pair(tmp_path / "sa1", sound))) > len(list(read_pair(tmp_path / "sa1", None))) == 5


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="holds no pictures"):
        list(read_pictures(tmp_path / "empty"))
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "001").write_text("these are words")
    with pytest.raises(SourceError, match="words/001 is not a JPEG picture"):
        list(read_pictures(tmp_path / "words"))
