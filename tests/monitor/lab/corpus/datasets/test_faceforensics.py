"""FaceForensics++, FaceShifter and DeeperForensics-1.0 in made folders of their shape."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.lab.corpus.datasets import DatasetPart, read_dataset
from monitor.lab.corpus.manifest import CorpusError
from tests.monitor.lab.corpus.datasets.trees import touch, write

METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "FaceForensics++"
    for level in ("c23", "c40"):
        touch(root, (f"original_sequences/youtube/{level}/videos/{n}.mp4" for n in ("000", "003", "071", "054")))
        for method in METHODS:
            folder = f"manipulated_sequences/{method}/{level}/videos"
            touch(root, (f"{folder}/{pair}.mp4" for pair in ("000_003", "003_000", "071_054")))
    touch(root, ["original_sequences/actors/c23/videos/01__hugging_happy.mp4", "audio/000.wav"])
    write(root / "splits" / "test.json", json.dumps([["000", "003"]]))
    write(root / "splits" / "train.json", json.dumps([["071", "054"]]))
    return root


def names(rows: list[object]) -> set[str]:
    return {str(getattr(row, "name", "")) for row in rows}


def test_the_test_set_of_the_release(tree: Path) -> None:
    name, found = read_dataset(tree)
    assert name == "faceforensics"
    assert found.notes == ()
    assert sum(row.label == "real" for row in found.rows) == 2
    assert {row.method for row in found.rows} == {"real", *METHODS}
    forged = next(row for row in found.rows if row.method == "Face2Face")
    assert forged.name == "manipulated_sequences/Face2Face/c23/videos/000_003.mp4"
    assert (forged.subject, forged.sound) == ("000", tree / "audio/000.wav")
    assert {row.subject for row in found.rows} == {"000", "003"}


def test_other_subsets_and_compressions(tree: Path) -> None:
    assert {row.subject for row in read_dataset(tree, None, DatasetPart("train"))[1].rows} == {"071", "054"}
    rows = read_dataset(tree, None, DatasetPart("all", "c40"))[1].rows
    assert len(rows) == 4 + 3 * len(METHODS)
    assert all("/c40/" in row.name for row in rows)


def test_one_method_by_its_own_name(tree: Path) -> None:
    _, found = read_dataset(tree, "faceshifter")
    assert {row.method for row in found.rows} == {"real", "FaceShifter"}


def test_without_lists_every_clip_is_read_and_that_is_said(tree: Path) -> None:
    for path in (tree / "splits").iterdir():
        path.unlink()
    (tree / "audio" / "000.wav").unlink()
    found = read_dataset(tree)[1]
    assert {row.subject for row in found.rows} == {"000", "003", "071", "054"}
    assert "splits/test.json not found" in found.notes[0]
    assert "without sound" in found.notes[1]
    with pytest.raises(CorpusError, match=r"it has no splits/val\.json"):
        read_dataset(tree, None, DatasetPart("val"))


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (DatasetPart(compression="raw"), "it has no original_sequences/youtube/raw/videos"),
        (DatasetPart(compression="c99"), "unknown compression 'c99'"),
        (DatasetPart("half"), "unknown subset 'half': use one of train, val, test, all"),
    ],
)
def test_what_it_does_not_hold_is_one_line(tree: Path, wanted: DatasetPart, message: str) -> None:
    with pytest.raises(CorpusError, match=message) as caught:
        read_dataset(tree, None, wanted)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_it(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="does not look like FaceForensics\\+\\+: it has no original_sequences"):
        read_dataset(tmp_path, "faceforensics")
    touch(tmp_path, ["original_sequences/youtube/c23/videos/000.mp4"])
    with pytest.raises(CorpusError, match="at c23: it has no forged clips"):
        read_dataset(tmp_path, "faceforensics")


@pytest.fixture
def deeper(tmp_path: Path) -> Path:
    root = tmp_path / "DeeperForensics-1.0"
    touch(root, (f"manipulated_videos/{kind}/000_M101.mp4" for kind in ("end_to_end", "reenact_postprocess")))
    touch(root, ["manipulated_videos/end_to_end/001_W006.mp4"])
    touch(root, ["source_videos/M101/light_up/happy/camera_front/M101_light_up_happy_camera_front.mp4"])
    write(root / "lists/splits/test.txt", "000_M101.mp4\n")
    return root


def test_deeperforensics_takes_its_genuine_clips_from_faceforensics(deeper: Path) -> None:
    with pytest.raises(CorpusError, match="copy or link them"):
        read_dataset(deeper)
    touch(deeper, (f"original_sequences/youtube/c23/videos/{n}.mp4" for n in ("000", "001", "002")))
    name, found = read_dataset(deeper)
    assert name == "deeperforensics"
    assert [(row.label, row.method, row.subject) for row in found.rows] == [
        ("fake", "end_to_end", "000"),
        ("fake", "reenact_postprocess", "000"),
        ("real", "real", "000"),
    ]
    assert {row.subject for row in read_dataset(deeper, None, DatasetPart("all"))[1].rows} == {"000", "001"}
    (deeper / "lists/splits/test.txt").unlink()
    assert "every clip is read" in read_dataset(deeper)[1].notes[0]


def test_deeperforensics_without_its_forgeries(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="it has no manipulated_videos"):
        read_dataset(tmp_path, "deeperforensics")
