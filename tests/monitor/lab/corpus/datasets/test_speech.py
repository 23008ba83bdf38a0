"""VoxCeleb2, LRS3 and AVSpeech in made folders of their shape; and what training is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.lab.corpus.datasets import DatasetPart, read_clips, read_corpus, read_dataset
from monitor.lab.corpus.manifest import CorpusError
from tests.monitor.lab.corpus.datasets.trees import touch, write


def test_voxceleb2_finds_the_sound_of_a_clip(tmp_path: Path) -> None:
    root = touch(
        tmp_path / "vox2",
        ["dev/mp4/id00012/21U/00001.mp4", "dev/aac/id00012/21U/00001.m4a", "test/mp4/id00017/01d/00001.mp4"],
    )
    name, found = read_dataset(root)
    assert name == "voxceleb2"
    assert [(row.subject, row.sound) for row in found.rows] == [
        ("id00012", root / "dev/aac/id00012/21U/00001.m4a"),
        ("id00017", None),
    ]
    assert "1 of 2 clips have no .m4a" in found.notes[0]
    assert [row.subject for row in read_dataset(root, None, DatasetPart("test"))[1].rows] == ["id00017"]
    assert [row.subject for row in read_dataset(root, None, DatasetPart("train"))[1].rows] == ["id00012"]
    with pytest.raises(CorpusError, match="VoxCeleb2: it has no"):
        read_dataset(root, None, DatasetPart("val"))


def test_lrs3_takes_the_talk_for_the_speaker(tmp_path: Path) -> None:
    root = touch(
        tmp_path, (f"{part}/0d6iSvF1UmA/00009.{kind}" for part in ("pretrain", "test") for kind in ("mp4", "txt"))
    )
    name, found = read_dataset(root)
    assert name == "lrs3"
    assert [row.subject for row in found.rows] == ["0d6iSvF1UmA"] * 2
    assert [row.name.split("/")[0] for row in read_dataset(root, None, DatasetPart("train"))[1].rows] == ["pretrain"]
    assert [row.name.split("/")[0] for row in read_dataset(root, None, DatasetPart("test"))[1].rows] == ["test"]
    with pytest.raises(CorpusError, match="LRS3: it has no"):
        read_dataset(root / "test", "lrs3")


def test_avspeech_takes_the_video_for_the_speaker(tmp_path: Path) -> None:
    root = touch(tmp_path, ["0d6iSvF1UmA_003.253-009.000000.mp4", "clips/-a_BcdEfgh1_12.mp4", "other/x.mp4"])
    name, found = read_dataset(root)
    assert name == "avspeech"
    assert [row.subject for row in found.rows] == ["0d6iSvF1UmA", "-a_BcdEfgh1", "other"]
    touch(tmp_path / "empty", ["avspeech_train.csv"])
    with pytest.raises(CorpusError, match="AVSpeech: it has no video"):
        read_dataset(tmp_path / "empty")


def test_training_takes_a_manifest_a_data_set_or_any_folder(tmp_path: Path) -> None:
    plain = touch(tmp_path / "plain", ["ann/1.mp4", "bob/2.mp4"])
    assert [row.subject for row in read_corpus(plain)] == ["ann", "bob"]
    lrs3 = touch(tmp_path / "lrs3", ["trainval/talk/1.mp4", "test/other/1.mp4"])
    assert [row.source for row in read_corpus(lrs3)] == ["LRS3"] * 2
    assert [row.subject for row in read_corpus(plain, "avspeech")] == ["ann", "bob"]
    manifest = write(plain / "m.csv", "path,label,method,subject\nann/1.mp4,real,real,eve\n")
    assert [row.subject for row in read_corpus(manifest)] == ["eve"]


def test_evaluation_takes_a_manifest_or_a_data_set_and_says_what_it_does_not_take(tmp_path: Path) -> None:
    manifest = write(tmp_path / "m.csv", "path,label,method,subject\nann/1.mp4,real,real,eve\n")
    name, found = read_clips(manifest)
    assert (name, len(found.rows)) == (None, 1)
    with pytest.raises(CorpusError, match="is a manifest"):
        read_clips(manifest, None, DatasetPart("test"))
    with pytest.raises(CorpusError, match="unknown data set 'ffpp': there is faceforensics"):
        read_clips(tmp_path, "ffpp")
    with pytest.raises(CorpusError, match="is not a folder"):
        read_clips(manifest, "lrs3")
    with pytest.raises(CorpusError, match="none of the known data sets"):
        read_clips(touch(tmp_path / "x", ["a/1.mp4", "b/1.mp4"]))
    with pytest.raises(CorpusError, match="none of the known data sets"):
        read_clips(touch(tmp_path / "y", ["a/b/c/1.mp4"]))
