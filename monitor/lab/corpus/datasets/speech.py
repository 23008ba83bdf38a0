"""Genuine speech to train on: VoxCeleb2, LRS3 and AVSpeech.

VoxCeleb2 (Chung et al., 2018), after the archives of its page: pictures and sound are separate downloads.

    {dev,test}/mp4/id00012/21Uxsk56VDQ/00001.mp4      without sound
    {dev,test}/aac/id00012/21Uxsk56VDQ/00001.m4a      found by the same path

A clip that has no .m4a is read on its own (some copies are already joined). The subject is the speaker.

LRS3-TED (Afouras et al., 2018):

    {pretrain,trainval,test}/<YouTube video>/00001.mp4        with sound and a .txt

Speakers have no names: the subject is the talk, which has one main speaker.

AVSpeech (Ephrat et al., 2018) is a list of YouTube segments, avspeech_{train,test}.csv, of which users make clips with
scripts of their own; the common ones name a clip <YouTube video>_<start>-<end>.mp4, seconds with decimals. The subject
is the video: the first eleven characters of a name that goes on with `_` and digits, else the folder. Other namings
could not be foreseen: write a manifest.
"""

from __future__ import annotations

import re
from pathlib import Path

from monitor.lab.corpus.datasets.base import DatasetClips, DatasetPart, Layout, make, missing, videos
from monitor.lab.corpus.manifest import Row

VOX, LRS3, AVSPEECH = "VoxCeleb2", "LRS3", "AVSpeech"
_SEGMENT = re.compile(r"([\w-]{11})_\d+")
_CUT = re.compile(r"[\w-]{11}_\d+\.\d+-\d+\.\d+")


def _mp4_folders(root: Path) -> list[Path]:
    places = (root / "mp4", *(root / part / "mp4" for part in ("dev", "test")))
    return [place for place in places if any(p.is_dir() for p in place.glob("id*"))]


def _read_voxceleb(root: Path, wanted: DatasetPart) -> DatasetClips:
    folders = [f for f in _mp4_folders(root) if _in_subset(f.parent.name, wanted, {"train": "dev", "test": "test"})]
    rows = [_vox_row(root, folder, path) for folder in folders for path in videos(folder)]
    if not rows:
        raise missing(VOX, root, "dev/mp4/id.../*.mp4")
    silent = sum(row.sound is None for row in rows)
    notes = (f"{silent} of {len(rows)} clips have no .m4a under aac/: they are read with the sound they have",)
    return DatasetClips(rows, notes if silent else ())


def _vox_row(root: Path, folder: Path, path: Path) -> Row:
    inside = path.relative_to(folder)
    sound = (folder.parent / "aac" / inside).with_suffix(".m4a")
    return make(root, path, "real", "real", inside.parts[0], source=VOX, sound=sound if sound.exists() else None)


def _in_subset(name: str, wanted: DatasetPart, names: dict[str, str]) -> bool:
    return wanted.subset in (None, "all") or names.get(str(wanted.subset)) == name


def _read_lrs3(root: Path, wanted: DatasetPart) -> DatasetClips:
    rows = [
        make(root, path, "real", "real", path.parent.name, source=LRS3)
        for part in ("pretrain", "trainval", "test")
        if wanted.subset in (None, "all") or (wanted.subset == "test") == (part == "test")
        for path in videos(root / part)
    ]
    if not rows:
        raise missing(LRS3, root, "pretrain, trainval or test with videos")
    return DatasetClips(rows)


def _read_avspeech(root: Path, wanted: DatasetPart) -> DatasetClips:
    rows = [make(root, path, "real", "real", _segment(path), source=AVSPEECH) for path in videos(root)]
    if not rows:
        raise missing(AVSPEECH, root, "video")
    return DatasetClips(rows)


def _segment(path: Path) -> str:
    match = _SEGMENT.match(path.stem)
    return match[1] if match else path.parent.name


def _looks_like_avspeech(root: Path) -> bool:
    return any(root.glob("avspeech_*.csv")) or any(_CUT.fullmatch(p.stem) for p in root.glob("*.mp4"))


LAYOUTS = (
    Layout("voxceleb2", VOX, lambda root: bool(_mp4_folders(root)), _read_voxceleb),
    Layout("lrs3", LRS3, lambda root: any((root / p).is_dir() for p in ("pretrain", "trainval")), _read_lrs3),
    Layout("avspeech", AVSPEECH, _looks_like_avspeech, _read_avspeech),
)
