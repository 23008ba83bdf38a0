"""Clips strung together are one stream: its clock never steps back, and lips keep to their voice."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.stitched_calls import DUB_METHOD, VirtualCall, calls_of, media, moment, strung
from monitor.types import AudioBlock, MediaItem, Reason, TrackFault, VideoFrame
from tests.monitor.tap.clips import write_clip


def row(path: Path, subject: str = "ann", label: str = "real", method: str = "real", sound: Path | None = None) -> Row:
    return Row(path, path.name, label, method, subject, sound=sound)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Clips of one and two seconds: whole, late, without sound, without pictures; and what is no clip."""
    folder = tmp_path_factory.mktemp("clips")
    (folder / "words.mp4").write_text("words")
    return {
        "one": write_clip(folder / "one.mkv", seconds=1.0, audio="pcm_s16le"),
        "two": write_clip(folder / "two.mkv", seconds=2.0, audio="pcm_s16le", fps=12.5),
        "late": write_clip(folder / "late.mkv", seconds=1.0, audio="pcm_s16le", audio_from=3.0, video_from=3.2),
        "mute": write_clip(folder / "mute.mkv", seconds=1.0, audio=None),
        "heard": write_clip(folder / "heard.mkv", seconds=1.0, video=None, audio="pcm_s16le"),
        "words": folder / "words.mp4",
    }


def times(items: list[MediaItem], kind: type[VideoFrame] | type[AudioBlock]) -> list[float]:
    return [item.stamp.capture for item in items if isinstance(item, kind)]


def string(rows: list[Row], seconds: float) -> list[MediaItem]:
    return list(strung(rows, seconds, np.random.default_rng(0)))


def test_a_call_is_one_continuous_stream(clips: dict[str, Path]) -> None:
    items = string([row(clips["one"]), row(clips["two"]), row(clips["late"])], 9.0)
    assert [moment(item) for item in items] == sorted(moment(item) for item in items)
    for kind, gap in ((VideoFrame, 0.3), (AudioBlock, 0.3)):
        at = times(items, kind)
        assert at[0] < 0.21
        assert 8.7 < at[-1] < 9.0
        assert min(b - a for a, b in pairwise(at)) > 0
        assert max(b - a for a, b in pairwise(at)) < gap
    for item in items:
        assert isinstance(item, VideoFrame | AudioBlock)
        assert item.stamp.media == item.stamp.capture == item.stamp.arrival


def test_lips_keep_to_their_voice(clips: dict[str, Path]) -> None:
    items = string([row(clips["late"])], 0.9)
    # The clip's pictures begin 0.2 s after its sound.
    assert times(items, VideoFrame)[0] - times(items, AudioBlock)[0] == pytest.approx(0.2, abs=0.03)


def test_what_is_missing_or_broken_is_passed_over_and_told(clips: dict[str, Path]) -> None:
    items = string([row(clips["mute"]), row(clips["heard"]), row(clips["words"])], 5.0)
    faults = [item for item in items if isinstance(item, TrackFault)]
    assert {fault.reason for fault in faults} == {Reason.NO_AUDIO, Reason.NO_VIDEO}
    assert max(times(items, VideoFrame)) > 2
    assert max(times(items, AudioBlock)) > 2
    assert [moment(item) for item in items] == sorted(moment(item) for item in items)


def test_clips_of_which_nothing_can_be_read_end_the_call(clips: dict[str, Path], tmp_path: Path) -> None:
    assert string([row(clips["words"]), row(tmp_path / "absent.mp4")], 5.0) == []


def test_sound_may_be_in_a_file_of_its_own(clips: dict[str, Path]) -> None:
    items = list(media(row(clips["two"], sound=clips["one"])))
    assert max(times(items, VideoFrame)) > 1.8
    assert max(times(items, AudioBlock)) < 1.0


def test_a_dub_shows_one_and_sounds_like_another(clips: dict[str, Path]) -> None:
    call = VirtualCall(
        "dub", "fake", DUB_METHOD, "ann", (row(clips["mute"]),), 3.0, voice=(row(clips["heard"], "bob"),)
    )
    items = list(call.items())
    assert [moment(item) for item in items] == sorted(moment(item) for item in items)
    assert not any(isinstance(item, TrackFault) for item in items)
    assert times(items, VideoFrame)[-1] > 2.8 < times(items, AudioBlock)[-1] + 0.1


def test_the_order_follows_from_the_seed(clips: dict[str, Path]) -> None:
    rows = (row(clips["one"]), row(clips["two"]), row(clips["late"]))

    def heard(seed: int) -> list[float]:
        return times(list(VirtualCall("a", "real", "real", "ann", rows, 8.0, seed=seed).items()), VideoFrame)

    assert heard(0) == heard(0)
    assert len({tuple(heard(seed)) for seed in range(6)}) > 1


def rows_of(**people: int) -> list[Row]:
    return [row(Path(f"{who}{n}.mp4"), who) for who, count in people.items() for n in range(count)]


def test_a_call_for_each_person_and_for_each_forgery_of_one() -> None:
    forged = [row(Path(f"f{n}.mp4"), who, "fake", how) for n, (who, how) in enumerate([("ann", "x"), ("ann", "y")] * 2)]
    calls = calls_of([*rows_of(ann=2, bob=1), *forged], 60.0)
    assert [(c.name, c.label, c.method, len(c.clips)) for c in calls] == [
        ("genuine/ann", "real", "real", 2),
        ("genuine/bob", "real", "real", 1),
        ("x/ann", "fake", "x", 2),
        ("y/ann", "fake", "y", 2),
    ]
    assert not any(call.voice for call in calls)


def test_every_person_is_dubbed_with_another_and_every_voice_is_used_once() -> None:
    dubs = [call for call in calls_of(rows_of(a=1, b=1, c=2, d=1), 60.0, dubs=True) if call.method == DUB_METHOD]
    assert sorted(call.subject for call in dubs) == ["a", "b", "c", "d"]
    voices = [call.voice[0].subject for call in dubs]
    assert sorted(voices) == ["a", "b", "c", "d"]
    assert all(call.subject != voice for call, voice in zip(dubs, voices, strict=True))
    assert calls_of(rows_of(a=1), 60.0, dubs=True) == calls_of(rows_of(a=1), 60.0)
