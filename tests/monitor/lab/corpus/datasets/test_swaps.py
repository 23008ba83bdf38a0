"""DF-TIMIT, DFDC-preview, Celeb-DF v2 and ForgeryNet in made folders of their shape."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.lab.corpus.datasets import DatasetPart, read_dataset
from monitor.lab.corpus.manifest import CorpusError
from tests.monitor.lab.corpus.datasets.trees import touch, write


@pytest.fixture
def timit(tmp_path: Path) -> Path:
    root = tmp_path / "timit"
    for quality in ("higher_quality", "lower_quality"):
        touch(root / "DeepfakeTIMIT" / quality, ["fadg0/sa1-video-fram1.avi", "fadg0/sx289-video-fram1.avi"])
    touch(root / "DeepfakeTIMIT/higher_quality/fadg0", ["sa1-video-fram1.wav"])
    touch(root / "DeepfakeTIMIT/lower_quality/fadg0", ["sx289.wav"])
    touch(root / "VidTIMIT/fadg0/video", ["sa1/001", "sa1/002", "head/001"])
    touch(root / "VidTIMIT/fadg0/audio", ["sa1.wav"])
    return touch(root / "VidTIMIT", ["fjre0/video/sa1/001"]).parent


def test_dftimit_with_the_genuine_clips_of_vidtimit(timit: Path) -> None:
    name, found = read_dataset(timit)
    assert name == "df-timit"
    base = timit / "DeepfakeTIMIT"
    assert [(row.method, row.subject, row.sound) for row in found.rows] == [
        ("higher_quality", "fadg0", base / "higher_quality/fadg0/sa1-video-fram1.wav"),
        ("higher_quality", "fadg0", None),
        ("lower_quality", "fadg0", timit / "VidTIMIT/fadg0/audio/sa1.wav"),
        ("lower_quality", "fadg0", base / "lower_quality/fadg0/sx289.wav"),
        ("real", "fadg0", timit / "VidTIMIT/fadg0/audio/sa1.wav"),
    ]
    assert found.rows[-1].path == timit / "VidTIMIT/fadg0/video/sa1"


def test_dftimit_refers_to_whose_face_is_worn(timit: Path) -> None:
    touch(timit / "VidTIMIT/fadg0/video", ["sx289/001"])
    touch(timit / "VidTIMIT/fram1/video", ["sa1/001", "sa2/001"])
    touch(timit / "DeepfakeTIMIT/higher_quality", ["fram1/sa1-video-fadg0.avi"])
    rows = read_dataset(timit)[1].rows
    worn = {row.name.removeprefix("DeepfakeTIMIT/"): row.reference for row in rows}
    own = timit / "VidTIMIT"
    assert worn["higher_quality/fadg0/sa1-video-fram1.avi"] == (own / "fram1/video/sa1",)
    assert worn["higher_quality/fram1/sa1-video-fadg0.avi"] == (own / "fadg0/video/sa1",)
    assert worn["VidTIMIT/fadg0/video/sa1"] == (own / "fadg0/video/sx289",)
    assert rows[-1].reference_sounds == (None,)


def test_dftimit_beside_vidtimit_made_into_videos(timit: Path) -> None:
    (timit / "VidTIMIT").rename(timit / "old")
    touch(timit / "VidTIMIT/fadg0", ["sa1.avi", "sa1.wav"])
    rows = read_dataset(timit / "DeepfakeTIMIT")[1].rows
    assert rows[-1].name == "VidTIMIT/fadg0/sa1.avi"
    assert rows[-1].sound == timit / "VidTIMIT/fadg0/sa1.wav"


def test_dftimit_that_is_not_as_published(timit: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no higher_quality or lower_quality"):
        read_dataset(touch(tmp_path / "x", ["a.mp4"]), "df-timit")
    with pytest.raises(CorpusError, match="no official split"):
        read_dataset(timit, None, DatasetPart("train"))
    (timit / "VidTIMIT").rename(timit / "old")
    with pytest.raises(CorpusError, match="it has no VidTIMIT"):
        read_dataset(timit)


LISTED = {
    "original_videos/643049/643049_A_001.mp4": {"label": "real", "set": "test", "target_id": 643049},
    "method_A/643049/643049_A/1055101_643049_A_001.mp4": {"label": "fake", "set": "test", "target_id": 643049},
    "method_B/1260311/1260311_C/1255229_1260311_C_001.mp4": {"label": "fake", "set": "train"},
    "original_videos/1260311/1260311_C_001.mp4": {"label": "real", "set": "train", "target_id": None},
}


def test_dfdc_preview_is_read_from_its_list(tmp_path: Path) -> None:
    root = touch(tmp_path / "dfdc_preview_set", LISTED)
    write(root / "dataset.json", json.dumps(LISTED))
    name, found = read_dataset(root)
    assert name == "dfdc-preview"
    assert [(row.label, row.method, row.subject) for row in found.rows] == [
        ("real", "real", "643049"),
        ("fake", "method_A", "643049"),
    ]
    assert [row.subject for row in read_dataset(root, None, DatasetPart("train"))[1].rows] == ["1260311", "1260311"]
    assert len(read_dataset(root, None, DatasetPart("all"))[1].rows) == 4
    with pytest.raises(CorpusError, match=r"dataset\.json \(val\) lists"):
        read_dataset(root, None, DatasetPart("val"))
    write(root / "dataset.json", '{"a": []}')
    with pytest.raises(CorpusError, match="without label and set"):
        read_dataset(root)
    with pytest.raises(CorpusError, match=r"it has no dataset\.json"):
        read_dataset(tmp_path, "dfdc-preview")


CELEB = [
    "Celeb-real/id1_0007.mp4",
    "Celeb-real/id2_0001.mp4",
    "YouTube-real/00170.mp4",
    "Celeb-synthesis/id1_id2_0007.mp4",
]


def test_celebdf_with_its_list_of_testing_videos(tmp_path: Path) -> None:
    root = touch(tmp_path / "Celeb-DF-v2", CELEB)
    lines = [f"1 {CELEB[0]}", f"1 {CELEB[2]}", f"0 {CELEB[3]}", "0 Celeb-synthesis/id9_id8_0000.mp4"]
    write(root / "List_of_testing_videos.txt", "\n".join(lines))
    name, found = read_dataset(root)
    assert name == "celeb-df"
    assert [(row.label, row.method, row.subject) for row in found.rows] == [
        ("real", "real", "id1"),
        ("real", "real", "youtube-00170"),
        ("fake", "Celeb-synthesis", "id1"),
    ]
    assert found.notes == ("1 of the 4 clips that List_of_testing_videos.txt lists are not there",)
    assert len(read_dataset(root, None, DatasetPart("all"))[1].rows) == 4
    with pytest.raises(CorpusError, match="official list of train"):
        read_dataset(root, None, DatasetPart("train"))
    (root / "List_of_testing_videos.txt").unlink()
    assert "every clip is read" in read_dataset(root)[1].notes[0]
    with pytest.raises(CorpusError, match="it has no Celeb-real"):
        read_dataset(root / "Celeb-real", "celeb-df")


def test_celebdf_whose_clips_lie_in_folders_videos(tmp_path: Path) -> None:
    root = touch(tmp_path, (name.replace("/", "/videos/") for name in CELEB))
    write(root / "List_of_testing_videos.txt", f"1 {CELEB[0]}\n0 {CELEB[3]}\n")
    assert [row.subject for row in read_dataset(root)[1].rows] == ["id1", "id1"]


@pytest.fixture
def forgerynet(tmp_path: Path) -> Path:
    root = tmp_path / "ForgeryNet"
    folder = "Validation/video/val_video_release"
    touch(root, [f"{folder}/3/a/fake1.mp4", f"{folder}/16/b/real1.mp4"])
    lines = ["2 val_video_release/3/a/fake1.mp4 0 10 1 10 5 0 1 1 3", "1 16/b/real1.mp4 0 9 0 0 0 0"]
    write(root / "Validation/video_list.txt", "\n".join(lines))
    return root


def test_forgerynet_is_read_from_its_list(forgerynet: Path) -> None:
    name, found = read_dataset(forgerynet)
    assert name == "forgerynet"
    assert [(row.label, row.method, row.subject) for row in found.rows] == [
        ("fake", "DeepFakes", "fake1"),
        ("real", "real", "real1"),
    ]
    assert "so Validation is read" in found.notes[0]
    assert len(read_dataset(forgerynet, None, DatasetPart("all"))[1].rows) == 2
    with pytest.raises(CorpusError, match="it has no Validation/video"):
        read_dataset(forgerynet, None, DatasetPart("train"))


def test_forgerynet_lists_may_lie_above(forgerynet: Path) -> None:
    (forgerynet / "Validation/video_list.txt").rename(forgerynet / "val_video_list.txt")
    (forgerynet / "Validation").rename(forgerynet / "Test")
    with pytest.raises(CorpusError, match="no list of videos"):
        read_dataset(forgerynet, "forgerynet", DatasetPart("test"))
    (forgerynet / "val_video_list.txt").rename(forgerynet / "test_video_list.txt")
    assert len(read_dataset(forgerynet, "forgerynet")[1].rows) == 2
    write(forgerynet / "test_video_list.txt", "1 16/b/real1.mp4\n")
    with pytest.raises(CorpusError, match="not a video with three labels"):
        read_dataset(forgerynet, "forgerynet")
    (forgerynet / "test_video_list.txt").write_bytes(b"\xff\xff")
    with pytest.raises(CorpusError, match="cannot be read as text"):
        read_dataset(forgerynet, "forgerynet")
