"""Manifests, folders and splits: what is read, and the one line said of what cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monitor.lab.corpus.manifest import (
    CorpusError,
    Row,
    _features,
    apply_split,
    features_name,
    load_features,
    read_folder,
    read_manifest,
    workers_here,
)
from monitor.lab.corpus.speech_features import ClipFeatures
from monitor.tap.media.digest import digest
from tests.monitor.tap.clips import write_clip

HEAD = "path,label,method,subject\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_paths_are_relative_to_the_manifest(tmp_path: Path) -> None:
    manifest = write(tmp_path / "m.csv", HEAD + "a/b.mp4,real,real,ann\nc.mp4,fake,swap,bob\n")
    assert read_manifest(manifest) == [
        Row(tmp_path / "a/b.mp4", "a/b.mp4", "real", "real", "ann"),
        Row(tmp_path / "c.mp4", "c.mp4", "fake", "swap", "bob"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\n", "m.csv lacks the columns method, subject"),
        ("", "m.csv lacks the columns path, label, method, subject"),
        (HEAD, "m.csv lists no clips"),
        (HEAD + "a.mp4,genuine,real,ann\n", "m.csv line 2: label is 'genuine', not real or fake"),
        (HEAD + "a.mp4,real,real,ann\nb.mp4\n", "m.csv line 3 is too short: it has no label, method, subject"),
    ],
)
def test_a_bad_manifest_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CorpusError) as caught:
        read_manifest(write(tmp_path / "m.csv", text))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_what_is_not_csv_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(CorpusError, match="cannot be read as CSV"):
            read_manifest(path)
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00path")
    with pytest.raises(CorpusError, match="cannot be read as CSV"):
        read_manifest(tmp_path / "bytes.csv")


def test_a_folder_is_genuine_and_names_its_subjects(tmp_path: Path) -> None:
    for name in ("ann/1.mp4", "ann/2.MKV", "bob/1.webm", "bob/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    rows = read_folder(tmp_path)
    assert [(row.name, row.label, row.subject) for row in rows] == [
        ("ann/1.mp4", "real", "ann"),
        ("ann/2.MKV", "real", "ann"),
        ("bob/1.webm", "real", "bob"),
    ]


def test_a_folder_without_videos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="holds no video"):
        read_folder(tmp_path)


def test_a_split_names_subject_group_and_fold_and_leaves_out_what_it_skips(tmp_path: Path) -> None:
    rows = [Row(tmp_path / name, name, "real", "real", "?") for name in ("a", "b", "c")]
    split = write(tmp_path / "s.csv", "path,subject,group,fold\na,ann,wild,a\nb,bob,wild,skip\nelse,x,y,a\n")
    assert apply_split(rows, split) == [Row(tmp_path / "a", "a", "real", "real", "ann", "wild", "a")]
    with pytest.raises(CorpusError, match="names none of the clips"):
        apply_split(rows[1:], split)


def test_features_are_kept_by_content_and_problems_told(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", seconds=0.6)
    (tmp_path / "copy.mp4").write_bytes(clip.read_bytes())
    write(tmp_path / "words.mp4", "these are words")
    names = ["a.mp4", "copy.mp4", "words.mp4", "absent.mp4"]
    rows = [Row(tmp_path / name, name, "real", "real", "ann") for name in names]
    cache, counts = tmp_path / "deep" / "cache", list[int]()
    found = dict(zip(names, load_features(rows, cache, 1, counts.append), strict=True))
    assert counts == [1, 2, 3, 4]
    first, second = found["a.mp4"][1], found["copy.mp4"][1]
    assert isinstance(first, ClipFeatures)
    assert isinstance(second, ClipFeatures)
    assert len(first) == len(second) > 10
    assert not first.face.any()
    assert "words.mp4" in str(found["words.mp4"][1])
    assert found["absent.mp4"][1] == "absent.mp4: No such file or directory"
    assert [path.name for path in cache.iterdir()] == [features_name(digest(tmp_path / "a.mp4"))]


def test_a_worker_says_where_it_keeps_a_clip_or_why_it_cannot(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", seconds=0.4)
    kept = _features(clip, tmp_path)
    assert isinstance(kept, Path)
    assert len(ClipFeatures.load(kept)) > 5
    assert _features(clip, tmp_path) == kept
    assert "words.mp4" in str(_features(write(tmp_path / "words.mp4", "these are words"), tmp_path))
    assert _features(tmp_path / "absent.mp4", tmp_path) == "absent.mp4: No such file or directory"


def test_what_is_kept_is_not_analysed_again(tmp_path: Path) -> None:
    clip = write(tmp_path / "a.mp4", "not a video, but analysed before")
    kept = ClipFeatures(
        np.zeros((3, 168), np.float32),
        np.zeros((3, 36, 36), np.uint8),
        np.ones(3, np.bool_),
        np.zeros((3, 4, 80), np.float32),
        np.ones(3, np.bool_),
        99.0,
        1,
    )
    kept.save(tmp_path / features_name(digest(clip)))
    ((_, found),) = load_features([Row(clip, "a.mp4", "real", "real", "ann")], tmp_path, 1, lambda _: None)
    assert isinstance(found, ClipFeatures)
    assert found.size == 99


def test_there_is_a_worker() -> None:
    assert workers_here() >= 1


def test_a_manifest_may_name_sound_and_references(tmp_path: Path) -> None:
    head = "path,label,method,subject,source,sound,reference\n"
    manifest = write(
        tmp_path / "m.csv", head + "a.mp4,real,real,ann,set:x,a.wav,r1.mp4; r2.mp4\nb.mp4,real,real,bob,,,\n"
    )
    first, second = read_manifest(manifest)
    assert (first.source, first.sound) == ("set", tmp_path / "a.wav")
    assert first.reference == (tmp_path / "r1.mp4", tmp_path / "r2.mp4")
    assert (second.sound, second.reference) == (None, ())


def test_sound_of_its_own_is_part_of_the_clip(tmp_path: Path) -> None:
    silent = write_clip(tmp_path / "silent.mp4", seconds=0.6, audio=None)
    sound = write_clip(tmp_path / "sound.m4a", seconds=0.6, video=None)
    assert digest(silent) != digest(silent, sound) != digest(sound)
    rows = [Row(silent, "a", "real", "real", "ann"), Row(silent, "a", "real", "real", "ann", sound=sound)]
    alone, paired = (features for _, features in load_features(rows, tmp_path / "cache", 1, lambda _: None))
    assert isinstance(alone, ClipFeatures)
    assert isinstance(paired, ClipFeatures)
    # No face and no sound leave nothing of the silent one.
    assert (len(alone), len(paired) > 10) == (0, True)
    (tmp_path / "pictures").mkdir()
    write(tmp_path / "pictures" / "001", "x")
    assert len(digest(tmp_path / "pictures")) == 32
