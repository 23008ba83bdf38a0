"""Face-swap data sets: DF-TIMIT, DFDC-preview, Celeb-DF v2 and ForgeryNet.

DF-TIMIT: DeepfakeTIMIT (Korshunov and Marcel, 2018) with the genuine clips of VidTIMIT (Sanderson), after descriptions
in public repositories and the page of VidTIMIT:

    [DeepfakeTIMIT/]{higher_quality,lower_quality}/fadg0/sa1-video-fram1.avi     sound in a .wav beside it
    [VidTIMIT/|real/]fadg0/video/sa1/001 ...      JPEG pictures at 25 a second; or fadg0/sa1.avi made of them
    [VidTIMIT/|real/]fadg0/audio/sa1.wav

Descriptions differ on the name of the .wav of a forgery: sa1-video-fram1.wav, sa1.wav and sa1-audio.wav are tried,
then the sound of the genuine clip. The subject is the person whose clip it is (the folder). VidTIMIT has more people
than were forged: only the genuine clips of these are read, without the head rotations (head*). A forgery claims to
show the person whose face it wears, named after `-video-`: its reference are half of that person's genuine clips.

DFDC-preview (Dolhansky et al., 2019), after readers of it in public repositories:

    dataset.json      {"method_A/.../1055101_1062897_A_001.mp4": {"label", "set": "train|test", "target_id", ...}}
    original_videos/643049/643049_A_001.mp4, method_A/..., method_B/...

Celeb-DF v2 (Li et al., CVPR 2020), after readers of it in public repositories; some keep clips in folders `videos`:

    Celeb-real/id1_0007.mp4, YouTube-real/00170.mp4, Celeb-synthesis/id0_id1_0007.mp4     (target_source_clip)
    List_of_testing_videos.txt      lines `1 YouTube-real/00170.mp4`; 1 is genuine, 0 forged

ForgeryNet (He et al., CVPR 2021), after Readme.txt of its repository and a reader in a public one:

    {Training,Validation}/video/{train,val}_video_release/<1..19>/.../<name>.mp4
    a list of lines  <n> <video> (<start> <length> <fake|real>) * n <two-way> <three-way> <16-way label>

The list comes in an archive of its own whose file names could not be verified: any .txt with `video` in its name is
taken, in the folder of the subset or above it. The two-way label is 0 for genuine clips; the names of the 16 classes
are those of a public reader. The release says nothing of who is seen: every clip counts as a subject of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from monitor.lab.corpus.datasets.base import (
    DatasetClips,
    DatasetPart,
    Layout,
    first,
    make,
    missing,
    no_lists,
    present,
    read_json,
    read_lines,
    videos,
    with_both_labels,
    with_references,
)
from monitor.lab.corpus.manifest import CorpusError, Row

TIMIT, DFDC, CELEB, FORGERY = "DF-TIMIT", "DFDC-preview", "Celeb-DF v2", "ForgeryNet"
QUALITIES = ("higher_quality", "lower_quality")
FORGERYNET = (
    "real",
    "FaceShifter",
    "FS-GAN",
    "DeepFakes",
    "BlendFace",
    "MMReplacement",
    "DeepFakes-StarGAN-Stack",
    "Talking Head Video",
    "ATVG-Net",
    "StarGAN-BlendFace-Stack",
    "First Order Motion",
    "StyleGAN2",
    "MaskGAN",
    "StarGAN2",
    "SC-FEGAN",
    "DiscoFaceGAN",
)


def _read_timit(root: Path, wanted: DatasetPart) -> DatasetClips:
    if wanted.subset not in (None, "all"):
        raise missing(TIMIT, root, "official split: leave --subset out")
    base = root if any((root / q).is_dir() for q in QUALITIES) else root / "DeepfakeTIMIT"
    genuine = first((root / "VidTIMIT", base / "VidTIMIT", root / "real", base / "real", root.parent / "VidTIMIT"))
    if not any((base / q).is_dir() for q in QUALITIES):
        raise missing(TIMIT, root, "higher_quality or lower_quality")
    if genuine is None:
        raise missing(TIMIT, root, "VidTIMIT (the genuine clips, a download of its own)")
    rows = []
    for quality in QUALITIES:
        for path in videos(base / quality):
            who, sentence = path.parent.name, path.stem.split("-")[0]
            sounds = (path.parent / f"{name}.wav" for name in (path.stem, sentence, f"{sentence}-audio"))
            sound = first((*sounds, genuine / who / "audio" / f"{sentence}.wav"))
            rows.append(make(root, path, "fake", quality, who, sound=sound))
    for who in sorted({row.subject for row in rows}):
        rows += _vidtimit(root if genuine.is_relative_to(root) else root.parent, genuine / who)
    shown_person = {row.name: row.path.stem.split("-")[-1] for row in rows if row.label == "fake"}
    genuine_subjects = {row.subject for row in rows if row.label == "real"}
    return with_both_labels(
        DatasetClips(
            with_references(rows, {name: who for name, who in shown_person.items() if who in genuine_subjects})
        ),
        TIMIT,
        root,
    )


def _vidtimit(root: Path, folder: Path) -> Iterator[Row]:
    """Yield the sentences of one person, as folders of pictures or as videos."""
    pictures = sorted(p for p in folder.glob("video/*") if p.is_dir())
    for path in [*pictures, *videos(folder)]:
        if not path.stem.startswith("head"):
            sound = first((folder / "audio" / f"{path.stem}.wav", path.parent / f"{path.stem}.wav"))
            yield make(root, path, "real", "real", folder.name, sound=sound)


def _read_dfdc(root: Path, wanted: DatasetPart) -> DatasetClips:
    path = root / "dataset.json"
    if not path.exists():
        raise missing(DFDC, root, "dataset.json")
    subset = wanted.subset or "test"
    rows = []
    for name, entry in read_json(path).items():
        try:
            label, part, who = str(entry["label"]), str(entry["set"]), entry.get("target_id")
        except (AttributeError, KeyError, TypeError):
            raise CorpusError(f"{path} has an entry without label and set: download it again") from None
        if subset in ("all", part):
            method = "real" if label == "real" else Path(name).parts[0]
            rows.append(make(root, root / name, label, method, str(who or Path(name).parts[1])))
    return with_both_labels(present(rows, DFDC, root, f"dataset.json ({subset})"), DFDC, root)


def _read_celeb(root: Path, wanted: DatasetPart) -> DatasetClips:
    if not (root / "Celeb-real").is_dir():
        raise missing(CELEB, root, "Celeb-real")
    rows = [
        _celeb_row(root, p) for name in ("Celeb-real", "YouTube-real", "Celeb-synthesis") for p in videos(root / name)
    ]
    if wanted.subset == "all":
        return with_both_labels(DatasetClips(rows), CELEB, root)
    if wanted.subset not in (None, "test"):
        raise missing(CELEB, root, f"official list of {wanted.subset}: it ships one of the test clips only")
    path = root / "List_of_testing_videos.txt"
    if not path.exists():
        return with_both_labels(DatasetClips(rows, no_lists(wanted, CELEB, root, path.name)), CELEB, root)
    listed = {tuple(line.split(maxsplit=1)[-1].split("/")) for line in read_lines(path)}
    in_list = [row for row in rows if (row.path.relative_to(root).parts[0], row.path.name) in listed]
    lost = len(listed) - len(in_list)
    notes = (f"{lost} of the {len(listed)} clips that {path.name} lists are not there",) if lost else ()
    return with_both_labels(DatasetClips(in_list, notes), CELEB, root)


def _celeb_row(root: Path, path: Path) -> Row:
    kind = path.relative_to(root).parts[0]
    if kind == "Celeb-synthesis":
        return make(root, path, "fake", kind, path.stem.split("_")[0])
    subject = f"youtube-{path.stem}" if kind == "YouTube-real" else path.stem.split("_")[0]
    return make(root, path, "real", "real", subject, source=kind)


def _read_forgerynet(root: Path, wanted: DatasetPart) -> DatasetClips:
    names = {"train": "Training", "val": "Validation", "test": "Test"}
    there = [name for name in names.values() if (root / name / "video").is_dir()]
    notes: tuple[str, ...] = ()
    if wanted.subset not in (None, "all"):
        there = [name for name in there if name == names[str(wanted.subset)]]
    elif wanted.subset is None and "Test" not in there and "Validation" in there:
        there, notes = ["Validation"], (f"{FORGERY}: no Test/video there, so Validation is read",)
    elif wanted.subset is None and "Test" in there:
        there = ["Test"]
    if not there:
        raise missing(FORGERY, root, "Validation/video (or Training, Test)")
    rows = [row for name in there for row in _forgerynet_rows(root, root / name)]
    clips = present(rows, FORGERY, root, "its lists")
    return with_both_labels(DatasetClips(clips.rows, notes + clips.notes), FORGERY, root)


def _forgerynet_rows(root: Path, folder: Path) -> Iterator[Row]:
    word = {"Training": "train", "Validation": "val", "Test": "test"}[folder.name]
    nearby = sorted(p for p in (*folder.rglob("*video*.txt"), *root.glob("*video*.txt")) if p.is_file())
    lists = [p for p in nearby if p.is_relative_to(folder) or word in p.name.lower()]
    if not lists:
        raise missing(FORGERY, root, f"list of videos (*video*.txt) in {folder.name}")
    for line in read_lines(lists[0]):
        words = line.split(" ")
        if len(words) < 5 or not all(word.isdigit() for word in words[-3:]):
            raise CorpusError(f"{lists[0]} has the line {line[:40]!r}, not a video with three labels: get it again")
        kind = int(words[-1])
        method = FORGERYNET[kind] if kind < len(FORGERYNET) else str(kind)
        path = _forgerynet_video(folder, words[1])
        forged = words[-3] != "0"
        yield make(root, path, "fake" if forged else "real", method if forged else "real", path.stem)


def _forgerynet_video(folder: Path, name: str) -> Path:
    """Where the video of a list is: the name is relative to the subset's folder, or to one above or below it."""
    tried = [base / name for base in (folder / "video", folder, folder.parent, *sorted((folder / "video").iterdir()))]
    return first(tried) or tried[0]


LAYOUTS = (
    Layout("df-timit", TIMIT, lambda root: _any(root, *QUALITIES, "DeepfakeTIMIT"), _read_timit),
    Layout(
        "dfdc-preview",
        DFDC,
        lambda root: (root / "dataset.json").exists() and _any(root, "original_videos", "method_A", "method_B"),
        _read_dfdc,
    ),
    Layout("celeb-df", CELEB, lambda root: _any(root, "Celeb-real", "Celeb-synthesis"), _read_celeb),
    Layout("forgerynet", FORGERY, lambda root: _any(root, "Training/video", "Validation/video"), _read_forgerynet),
)


def _any(root: Path, *names: str) -> bool:
    return any((root / name).is_dir() for name in names)
