"""`train faces` as a person runs it, on a few photos and a clip; and how faces are found in them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engines.packs import load_pack
from engines.training.faces import CROP_PIXELS, REACH
from monitor import cli
from monitor.lab.corpus.manifest import CorpusError
from monitor.lab.corpus.portraits import crops_of, face_rows, load_faces, photo
from monitor.tap.media.source import SourceError
from tests.monitor.tap.clips import write_clip

PEOPLE = 8


@pytest.fixture(scope="module")
def portraits(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of portraits of eight people, a clip, a clip without a face, a file that is no picture, a forgery."""
    folder = tmp_path_factory.mktemp("portraits")
    with (data_dir / "photos.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if "ffhq" in row["path"]][:PEOPLE]
    (folder / "words.jpg").write_text("these are words")
    lines: list[tuple[object, ...]] = [(data_dir / row["path"], "real", row["subject"], "ffhq") for row in rows]
    lines += [
        (data_dir / "clips/real/LivePortrait__d12.mp4", "real", "ann", "clips"),
        (write_clip(folder / "bars.mp4", seconds=1.0), "real", "bars", ""),
        (folder / "words.jpg", "real", "words", ""),
        (data_dir / rows[0]["path"], "fake", "eve", ""),
        (data_dir / rows[1]["path"], "real", "eve", ""),
    ]
    with (folder / "faces.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "subject", "source"), *lines])
    return folder


@pytest.mark.data
def test_faces_are_cut_wide_and_their_landmarks_with_them(portraits: Path) -> None:
    rows = face_rows([portraits / "faces.csv"], "held")
    # Whom the manifest also shows forged is left out altogether.
    assert len(rows) == PEOPLE + 3
    assert {row.fold for row in rows} == {"held", "train"}
    notes: list[str] = []
    counts: list[int] = []
    first = load_faces(rows, portraits / "cache", 1, 3, counts.append, notes.append)
    assert counts[-1] == len(rows)
    assert len(notes) == 2 + (PEOPLE - sum(face.still for face in first))
    assert sum(face.subject == "ann" for face in first) == 3
    for face in first:
        assert face.picture.shape == (CROP_PIXELS, CROP_PIXELS, 3)
        extent = float((face.landmarks.max(0) - face.landmarks.min(0)).max())
        assert abs(extent * REACH / CROP_PIXELS - 1) < 0.02
    again = load_faces(rows, portraits / "cache", 1, 3, counts.append, notes.append)
    assert all(np.array_equal(a.picture, b.picture) for a, b in zip(first, again, strict=True))


@pytest.mark.data
def test_a_sheet_can_be_looked_at(portraits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", "faces", str(portraits / "faces.csv"), "--out", str(tmp_path), "--sheet"]
    assert cli.run([*command, "--cache", str(portraits / "cache"), "--per-clip", "3"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 4 * 4 * 100


@pytest.mark.data
def test_training_leaves_a_pack_that_engines_take(
    portraits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="training needs torch: install the extra `train`")
    from tests.engines.face_pictures import fewer_blocks

    # The whole trunk is exported in tests/engines/training/test_backbone.py, by `make long`.
    fewer_blocks(monkeypatch)
    command = ["train", "faces", str(portraits / "faces.csv"), "--out", str(tmp_path), "--smoke", "--size", "64"]
    assert cli.run([*command, "--cache", str(portraits / "cache"), "--per-clip", "3"]) == 0
    manifest = load_pack(tmp_path / "packs" / "face_artefacts").manifest
    assert manifest.preprocessing["size"] == 64
    assert manifest.data["frames of clips"] in (0, 3)
    assert manifest.recipe["steps"] == 3
    assert manifest.metrics["clean"]["faces"] > 0
    assert (tmp_path / "history.png").exists()
    logged = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[0])
    assert logged["step"] == 3


def test_what_is_no_picture_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "words.png"
    path.write_text("words")
    with pytest.raises(SourceError, match="cannot be read as a picture"):
        photo(path)
    Image.new("RGB", (65, 67), "red").save(path)
    assert (photo(path).width, photo(path).height) == (64, 66)
    assert len(crops_of(path)) == 0


def test_nothing_to_train_on_is_bad_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")
    assert [row.name for row in face_rows([tmp_path], "held")] == ["red.png"]
    command = ["train", "faces", str(tmp_path), "--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
    assert cli.run(command) == 2
    assert "no picture shows a single face" in capsys.readouterr().err
    (tmp_path / "empty.csv").write_text("path,label,subject\n")
    with pytest.raises(CorpusError):
        face_rows([tmp_path / "empty.csv"], "held")
