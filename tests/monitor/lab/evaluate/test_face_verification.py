"""The identity encoder on photos, as `evaluate --pairs` measures it; and what is said of unusable manifests."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engines.base import MODELS, Engine
from monitor import cli
from monitor.identity.enrolment.condition_ladder import RUNGS
from monitor.lab.corpus.manifest import CorpusError
from monitor.lab.evaluate.face_verification import look, read_photos
from monitor.lab.metrics.det_curve import draw_det

PEOPLE = 6


def manifest(folder: Path, lines: list[str]) -> Path:
    path = folder / "photos.csv"
    path.write_text("\n".join(["path,subject,source", *lines]) + "\n")
    return path


def test_people_with_one_photo_take_no_part(tmp_path: Path) -> None:
    path = manifest(tmp_path, ["a1.jpg,a,lab", "a2.jpg,a,lab", "b1.jpg,b,lab", "c1.jpg,c,web", "c2.jpg,c,web"])
    assert [each.name for each in read_photos(path)] == ["a1.jpg", "a2.jpg", "c1.jpg", "c2.jpg"]
    assert read_photos(path)[0].path == tmp_path / "a1.jpg"


@pytest.mark.parametrize(
    ("lines", "source", "said"),
    [
        (["a1.jpg,a,lab", "a2.jpg,a,lab"], "", "no two people"),
        (["a1.jpg,a,lab", "a2.jpg,a,lab", "c1.jpg,c,web", "c2.jpg,c,web"], "lab", "no two people"),
        ([], "", "no two people"),
    ],
)
def test_too_few_people_are_refused(tmp_path: Path, lines: list[str], source: str, said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        read_photos(manifest(tmp_path, lines), source)


def test_a_manifest_must_have_its_columns(tmp_path: Path) -> None:
    (tmp_path / "photos.csv").write_text("path,who\n")
    with pytest.raises(CorpusError, match="lacks the columns source, subject"):
        read_photos(tmp_path / "photos.csv", "lab")
    with pytest.raises(CorpusError, match="cannot be read"):
        read_photos(tmp_path / "absent.csv")


def test_a_photo_without_a_face_says_so(tmp_path: Path, detector: Engine, landmarks: Engine) -> None:
    Image.new("RGB", (120, 120), "grey").save(tmp_path / "grey.png")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    assert look(tmp_path / "grey.png", (detector, landmarks)) == "no face found"
    assert "cannot be read" in str(look(tmp_path / "broken.jpg", (detector, landmarks)))


def test_the_picture_of_error_rates(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    flags = np.arange(300) < 100
    path = draw_det({"drawn": (np.where(flags, 0.3, 0.6) + random.normal(0, 0.1, 300), flags)}, tmp_path / "det.png")
    with Image.open(path) as image:
        assert min(image.size) > 400


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name a manifest"),
        (["clips.csv", "--pairs", "photos.csv"], "leave out clips"),
        (["--pairs", "absent.csv"], "cannot be read"),
    ],
)
def test_the_command_says_what_is_wrong(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["evaluate", *words, "--out", "out"]) in (1, 2)
    assert said in capsys.readouterr().err


@pytest.fixture(scope="module")
def measured(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of `evaluate --pairs` on a few people of LFW and a picture of nobody."""
    if not (MODELS / "face_identity").exists():
        pytest.skip("the identity encoder is not installed: make identity")
    photos = sorted((data_dir / "photos" / "lfw").glob("*.jpg"))[: 2 * PEOPLE]
    if len(photos) < 2 * PEOPLE:
        pytest.skip("photos/lfw is absent from the research data")
    folder = tmp_path_factory.mktemp("pairs")
    Image.new("RGB", (120, 120), "grey").save(folder / "grey.png")
    nobody = ["grey.png,nobody,lfw", "grey.png,nobody,lfw"]
    lines = [f"{photo},{photo.stem.rsplit('_', 1)[0]},lfw" for photo in photos]
    command = ["evaluate", "--pairs", str(manifest(folder, [*lines, *nobody])), "--out", str(folder / "out")]
    assert cli.run([*command, "--pairs-source", "lfw"]) == 0
    return folder / "out"


@pytest.mark.data
def test_the_same_person_lies_nearer_than_another(measured: Path) -> None:
    summary = json.loads((measured / "summary.json").read_text())
    assert summary["photos"] == 2 * PEOPLE + 2
    assert summary["refused"] == {"grey.png": "no face found"}
    assert summary["pairs"]["same"] == PEOPLE
    assert summary["pairs"]["different"] == PEOPLE * (PEOPLE - 1) // 2
    assert summary["every_pair"]["different"] == 4 * PEOPLE * (PEOPLE - 1) // 2
    assert summary["every_pair"]["auc"] > 0.98
    assert list(summary["rungs"]) == [step.name for step in RUNGS[1:]]
    assert all(side["auc"] > 0.9 for sides in summary["rungs"].values() for side in sides.values())


@pytest.mark.data
def test_every_pair_is_written_down(measured: Path) -> None:
    with (measured / "pairs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == PEOPLE + PEOPLE * (PEOPLE - 1) // 2
    same = [float(row["distance"]) for row in rows if row["same"] == "yes"]
    other = [float(row["distance"]) for row in rows if row["same"] == "no"]
    assert np.mean(same) < np.mean(other)
    assert (measured / "pairs-det.png").stat().st_size > 10_000
