"""FakeAVCeleb, AV-Deepfake1M, KoDF and IDForge in made folders of their shape."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.lab.corpus.datasets import DatasetPart, read_dataset
from monitor.lab.corpus.manifest import CorpusError
from tests.monitor.lab.corpus.datasets.trees import touch, write

HEAD = "source,target1,target2,method,category,type,race,gender,path,\n"
META = HEAD + (
    "id00076,-,-,real,A,RealVideo-RealAudio,African,men,00109.mp4,FakeAVCeleb/RealVideo-RealAudio/African/men/id00076\n"
    "id00076,id00476,-,wav2lip,D,FakeVideo-FakeAudio,African,men,00109_10_id00476_wavtolip.mp4,"
    "FakeAVCeleb/FakeVideo-FakeAudio/African/men/id00076\n"
    "id10006,-,-,rtvc,B,RealVideo-FakeAudio,Asian (East),women,00905_fake.mp4,\n"
    "id99999,-,-,fsgan,C,FakeVideo-RealAudio,African,men,absent.mp4,FakeAVCeleb/FakeVideo-RealAudio/African/men/id99999\n"
)


@pytest.fixture
def fakeav(tmp_path: Path) -> Path:
    root = tmp_path / "FakeAVCeleb_v1.2"
    write(root / "meta_data.csv", META)
    return touch(
        root,
        [
            "RealVideo-RealAudio/African/men/id00076/00109.mp4",
            "FakeVideo-FakeAudio/African/men/id00076/00109_10_id00476_wavtolip.mp4",
            "RealVideo-FakeAudio/Asian (East)/women/id10006/00905_fake.mp4",
        ],
    )


def test_fakeavceleb_is_read_from_its_table(fakeav: Path) -> None:
    # Also when the folder above is named, as archives unpack.
    name, found = read_dataset(fakeav.parent)
    assert name == "fakeavceleb"
    assert [(row.label, row.method, row.subject) for row in found.rows] == [
        ("real", "real", "id00076"),
        ("fake", "wav2lip", "id00076"),
        ("fake", "rtvc", "id10006"),
    ]
    assert found.rows[0].path.exists()
    assert found.notes == ("1 of the 4 clips that meta_data.csv lists are not there",)


def test_fakeavceleb_that_is_not_as_published(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"FakeAVCeleb: it has no meta_data\.csv"):
        read_dataset(tmp_path, "fakeavceleb")
    table = write(tmp_path / "meta_data.csv", "a,b\n")
    with pytest.raises(CorpusError, match="does not begin with the columns source,target1"):
        read_dataset(tmp_path)
    table.write_text(META)
    with pytest.raises(CorpusError, match=r"it has no clip that meta_data\.csv lists"):
        read_dataset(tmp_path)
    table.write_bytes(HEAD.encode() + b"\xff\xff")
    with pytest.raises(CorpusError, match="cannot be read as CSV"):
        read_dataset(tmp_path)


def test_fakeavceleb_has_no_split(fakeav: Path) -> None:
    with pytest.raises(CorpusError, match="no official split"):
        read_dataset(fakeav, None, DatasetPart("train"))


def entry(file: str, kind: str) -> dict[str, object]:
    return {"file": file, "modify_type": kind, "split": "val", "fake_segments": []}


@pytest.fixture
def av1m(tmp_path: Path) -> Path:
    root = tmp_path / "AV-Deepfake1M"
    here = "id00012/21Uxsk56VDQ/00001"
    listed = [entry(f"{here}/real.mp4", "real"), entry(f"{here}/fake_video_fake_audio.mp4", "both_modified")]
    listed += [entry("vox_celeb_2/id01358/x/00030/fake_video_real_audio.mp4", "visual_modified")]
    write(root / "val_metadata.json", json.dumps(listed))
    write(root / "train_metadata.json", json.dumps([entry("id1/a/b/real.mp4", "real")]))
    return touch(root, (f"val/{e['file']}" for e in listed))


def test_avdeepfake_reads_val_for_want_of_published_labels(av1m: Path) -> None:
    name, found = read_dataset(av1m)
    assert name == "av-deepfake1m"
    assert [(row.label, row.method, row.subject, row.source) for row in found.rows] == [
        ("real", "real", "id00012", ""),
        ("fake", "both_modified", "id00012", ""),
        ("fake", "visual_modified", "id01358", "vox_celeb_2"),
    ]
    assert "so val is read" in found.notes[0]
    assert read_dataset(av1m, None, DatasetPart("val"))[1].notes == ()
    assert len(read_dataset(av1m, None, DatasetPart("all"))[1].rows) == 3


def test_avdeepfake_that_is_not_as_published(av1m: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"it has no val_metadata\.json"):
        read_dataset(tmp_path, "av-deepfake1m")
    (av1m / "val_metadata.json").unlink()
    with pytest.raises(CorpusError, match=r"it has no val_metadata\.json"):
        read_dataset(av1m)
    for text, message in (("{", "cannot be read as JSON"), ('[{"file": "x"}]', "without file and modify_type")):
        write(av1m / "val_metadata.json", text)
        with pytest.raises(CorpusError, match=message):
            read_dataset(av1m)


def test_kodf_is_known_by_its_names(tmp_path: Path) -> None:
    actor = "0123456789abcdef0123"
    root = touch(
        tmp_path / "KoDF",
        [
            f"original_videos/{actor}/{actor}_001.mp4",
            "original_videos/100001/100001_002.mp4",
            "audio-driven/20200807/100002/100002_100002_5_0090.mp4",
            f"dfl/20200807/{actor}/{actor}_100001_1_0091.mp4",
            "dfl/readme.mp4",
        ],
    )
    name, found = read_dataset(root)
    assert name == "kodf"
    assert sorted((row.label, row.method, row.subject) for row in found.rows) == [
        ("fake", "audio-driven", "100002"),
        ("fake", "dfl", actor),
        ("real", "real", actor),
        ("real", "real", "100001"),
    ]
    # The face of a swap is its source's; whom nothing genuine shows, and whoever has one clip, has no reference.
    assert {row.method: [path.name for path in row.reference] for row in found.rows} == {
        "audio-driven": [],
        "dfl": ["100001_002.mp4"],
        "real": [],
    }
    with pytest.raises(CorpusError, match="no official split"):
        read_dataset(root, None, DatasetPart("test"))
    with pytest.raises(CorpusError, match="does not look like KoDF: it has no genuine clips"):
        read_dataset(touch(tmp_path / "other", ["a.mp4"]), "kodf")


@pytest.fixture
def idforge(tmp_path: Path) -> Path:
    root = tmp_path / "IDForge_v1"
    touch(root, (f"main/pristine/id53/id53_08/id53_scene_{n}_0.mp4" for n in ("0001", "0002")))
    touch(root, ["main/face_tts/id53/id53_08/id53_scene_0092_0_roop.mp4"])
    touch(root, ["main/lip_tts_textgen/id01/id01_00/id01_scene_0001_0.mp4"])
    touch(root, (f"ref/id53/id53_01/id53_scene_{n:04d}_0.mp4" for n in range(12)))
    write(
        root / "test.csv",
        "pristine/id53/id53_08/id53_scene_0001_0.mp4\nface_tts/id53/id53_08/id53_scene_0092_0_roop.mp4\n",
    )
    return root


def test_idforge_with_references(idforge: Path) -> None:
    name, found = read_dataset(idforge)
    assert name == "idforge"
    assert [(row.label, row.method, row.subject) for row in found.rows] == [
        ("fake", "face_tts", "id53"),
        ("real", "real", "id53"),
    ]
    assert len(found.rows[0].reference) == 10
    assert found.rows[0].reference[0].exists()
    assert len(read_dataset(idforge, None, DatasetPart("all"))[1].rows) == 4
    (idforge / "test.csv").unlink()
    assert "every clip is read" in read_dataset(idforge)[1].notes[0]


def test_idforge_unpacked_without_main(idforge: Path, tmp_path: Path) -> None:
    (idforge / "main").rename(tmp_path / "IDForge")
    name, found = read_dataset(tmp_path / "IDForge")
    assert name == "idforge"
    assert len(found.rows) == 4
    genuine = {row.path for row in found.rows if row.label == "real"}
    assert all(set(row.reference) < genuine and row.path not in row.reference for row in found.rows)
    with pytest.raises(CorpusError, match="IDForge: it has no pristine"):
        read_dataset(tmp_path / "IDForge" / "pristine", "idforge")
