"""Data sets whose forgeries have picture and sound: FakeAVCeleb, AV-Deepfake1M, KoDF and IDForge.

FakeAVCeleb v1.2 (Khalid et al., NeurIPS 2021 track on data sets), after readers of it in public repositories:

    meta_data.csv      source,target1,target2,method,category,type,race,gender,path,(folder, its head is empty)
    RealVideo-RealAudio/African/men/id00076/00109.mp4
    {RealVideo-FakeAudio,FakeVideo-RealAudio,FakeVideo-FakeAudio}/.../00109_10_id00476_wavtolip.mp4

The folder column begins with `FakeAVCeleb/`. The release ships no split.

AV-Deepfake1M and AV-Deepfake1M++ (Cai et al., ACM MM 2024 and 2025), after the README and loader of its repository:

    {train,val}_metadata.json   [{"file", "modify_type": "real|visual_modified|audio_modified|both_modified", ...}]
    {train,val}/id00012/21Uxsk56VDQ/00001/{real,fake_video_real_audio,...}.mp4      ++: vox_celeb_2/id00012/...

Labels of the test set are not published, so `test` means val unless test_metadata.json is there.

KoDF (Kwon et al., ICCV 2021). The release's tree is not documented in public; file names are, by a reader in the
public repository dfwb-research/deepfake-workbench: genuine clips <actor>_<number>, forged ones
<target>_<source>_<code>_<number> with the codes 1 dfl, 2 dffs, 3 fsgan, 4 fo, 5 audio-driven. Names alone are used, at
any depth; that they hold for every file could not be verified. No split is shipped. A face swap claims to show its
source, other forgeries their target: the reference are half of that person's genuine clips.

IDForge v1 (Xu et al., ACM MM 2024), after the README of its repository:

    [main/]{pristine,face_tts,lip_rvc_textmismatch,...}/id53/id53_08/id53_scene_0092_0_roop.mp4
    [ref/]...id53/...        genuine clips for reference ("similar", says the README: any depth under `ref*` is read)
    {train,val,test}.csv     paths, from the repository's folder IDForge_v1; or in IDForge_v1/, main/, splits/

The lines of those lists end in <session>/<file>; a clip is found by these two (after the reader in deepfake-workbench).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monitor.lab.corpus.datasets.base import (
    MAX_REFERENCES,
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
    read_table,
    videos,
    with_both_labels,
    with_references,
)
from monitor.lab.corpus.manifest import CorpusError, Row

FAKEAV, AV1M, KODF, IDFORGE = "FakeAVCeleb", "AV-Deepfake1M", "KoDF", "IDForge"
FAKEAV_COLUMNS = ("source", "target1", "target2", "method", "category", "type", "race", "gender", "path")
KODF_CODES = {"1": "dfl", "2": "dffs", "3": "fsgan", "4": "fo", "5": "audio-driven"}
# Those that put the face of the source onto the target: the others move the target's own.
KODF_SWAPS = {"dfl", "dffs", "fsgan"}


def _read_fakeavceleb(root: Path, wanted: DatasetPart) -> DatasetClips:
    meta = root / "meta_data.csv"
    if not meta.exists():
        raise missing(FAKEAV, root, "meta_data.csv")
    notes = no_lists(wanted, FAKEAV, root, "official split") if wanted.subset not in (None, "all") else ()
    rows = []
    for line in read_table(meta, FAKEAV_COLUMNS):
        source, method, kind, race, gender, name = (line[i] for i in (0, 3, 5, 6, 7, 8))
        folder = line[9] if len(line) > 9 and line[9] else f"{kind}/{race}/{gender}/{source}"
        path = root / folder.removeprefix("FakeAVCeleb/") / name
        genuine = kind == "RealVideo-RealAudio"
        rows.append(make(root, path, "real" if genuine else "fake", "real" if genuine else method, source))
    clips = present(rows, FAKEAV, root, "meta_data.csv")
    return with_both_labels(DatasetClips(clips.rows, notes + clips.notes), FAKEAV, root)


def _read_avdeepfake(root: Path, wanted: DatasetPart) -> DatasetClips:
    parts = {part: root / f"{part}_metadata.json" for part in ("train", "val", "test")}
    there = [part for part, path in parts.items() if path.exists()]
    if not there:
        raise missing(AV1M, root, "val_metadata.json")
    notes: tuple[str, ...] = ()
    chosen = there
    if wanted.subset != "all":
        subset = wanted.subset or "test"
        if subset == "test" and "test" not in there:
            subset, notes = "val", (f"{AV1M}: the labels of its test set are not published, so val is read",)
        if subset not in there:
            raise missing(AV1M, root, f"{subset}_metadata.json")
        chosen = [subset]
    rows = [row for part in chosen for row in _avdeepfake_rows(root, part, read_json(parts[part]))]
    clips = present(rows, AV1M, root, "its metadata")
    return with_both_labels(DatasetClips(clips.rows, notes + clips.notes), AV1M, root)


def _avdeepfake_rows(root: Path, part: str, listed: Any) -> Iterator[Row]:
    for entry in listed:
        try:
            file, kind = Path(entry["file"]), str(entry["modify_type"])
        except (KeyError, TypeError):
            raise CorpusError(f"{part}_metadata.json has an entry without file and modify_type: get it again") from None
        folders = file.parts[1:] if file.parts[0] in ("vox_celeb_2", "lrs3", "silent_videos") else file.parts
        label = "real" if kind == "real" else "fake"
        yield make(
            root, root / part / file, label, kind, folders[0], source=file.parts[0] if folders != file.parts else ""
        )


def _read_kodf(root: Path, wanted: DatasetPart) -> DatasetClips:
    if wanted.subset not in (None, "all"):
        raise missing(KODF, root, "official split: leave --subset out")
    rows = [row for path in videos(root) if (row := _kodf_row(root, path)) is not None]
    genuine_subjects = {row.subject for row in rows if row.label == "real"}
    shown_person = {row.name: row.path.stem.split("_")[1] for row in rows if row.method in KODF_SWAPS}
    return with_both_labels(
        DatasetClips(
            with_references(rows, {name: who for name, who in shown_person.items() if who in genuine_subjects})
        ),
        KODF,
        root,
    )


def _kodf_row(root: Path, path: Path) -> Row | None:
    parts = path.stem.split("_")
    if len(parts) == 4 and parts[2] in KODF_CODES:
        return make(root, path, "fake", KODF_CODES[parts[2]], parts[0])
    if len(parts) == 2 and re.fullmatch(r"\d{6}|[0-9a-f]{20}", parts[0]):
        return make(root, path, "real", "real", parts[0])
    return None


def _looks_like_kodf(root: Path) -> bool:
    names = set(KODF_CODES.values())
    return any(p.name in names for depth in ("*", "*/*", "*/*/*") for p in root.glob(depth) if p.is_dir())


def _read_idforge(root: Path, wanted: DatasetPart) -> DatasetClips:
    main = first((root / "main", root)) or root
    main = main if (main / "pristine").is_dir() else root
    if not (main / "pristine").is_dir():
        raise missing(IDFORGE, root, "pristine")
    listed, notes = _idforge_list(root, wanted)
    references = _idforge_references(root)
    rows = []
    for folder in sorted(p for p in main.iterdir() if p.is_dir() and not p.name.startswith("ref")):
        label, method = ("real", "real") if folder.name == "pristine" else ("fake", folder.name)
        for path in videos(folder):
            who = path.relative_to(folder).parts[0]
            if listed is None or (path.parent.name, path.stem) in listed:
                rows.append(make(root, path, label, method, who, reference=references.get(who, ())))
    # Without the archive of references, half of everybody's genuine clips are theirs.
    return with_both_labels(DatasetClips(with_references(rows, {}), notes), IDFORGE, root)


def _idforge_list(root: Path, wanted: DatasetPart) -> tuple[set[tuple[str, str]] | None, tuple[str, ...]]:
    if wanted.subset == "all":
        return None, ()
    name = f"{wanted.subset or 'test'}.csv"
    path = first(root / folder / name for folder in (".", "IDForge_v1", "main", "splits"))
    if path is None:
        return None, no_lists(wanted, IDFORGE, root, f"IDForge_v1/{name}")
    lines = [Path(line.split(",")[0]) for line in read_lines(path)]
    return {(line.parent.name, line.stem) for line in lines}, ()


def _idforge_references(root: Path) -> dict[str, tuple[Path, ...]]:
    by_person: dict[str, list[Path]] = defaultdict(list)
    for folder in sorted(p for p in root.iterdir() if p.is_dir() and "ref" in p.name):
        for path in videos(folder):
            who = re.match(r"id\d+", path.stem)
            if who and len(by_person[who[0]]) < MAX_REFERENCES:
                by_person[who[0]].append(path)
    return {who: tuple(paths) for who, paths in by_person.items()}


LAYOUTS = (
    Layout("fakeavceleb", FAKEAV, lambda root: (root / "meta_data.csv").exists(), _read_fakeavceleb),
    Layout(
        "av-deepfake1m",
        AV1M,
        lambda root: any((root / f"{part}_metadata.json").exists() for part in ("train", "val", "test")),
        _read_avdeepfake,
    ),
    Layout(
        "idforge",
        IDFORGE,
        lambda root: (root / "pristine").is_dir() or (root / "main" / "pristine").is_dir(),
        _read_idforge,
    ),
    Layout("kodf", KODF, _looks_like_kodf, _read_kodf),
)
