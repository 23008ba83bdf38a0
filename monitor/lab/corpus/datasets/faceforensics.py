"""FaceForensics++ and the data sets that are built on its sequences.

FaceForensics++ (Roessler et al., ICCV 2019), as its own download script lays it out:

    original_sequences/youtube/{raw,c23,c40}/videos/000.mp4
    manipulated_sequences/{Deepfakes,Face2Face,FaceSwap,NeuralTextures,FaceShifter}/c23/videos/000_003.mp4
    splits/{train,val,test}.json          lists of [target, source]; from the repository's dataset/splits

A forgery is named target_source: the target's picture with the source's face or expression; the subject is the target
sequence, which a genuine clip shares. DeepFakeDetection (actors) in the same tree is left out: it is another data set.
The released videos have NO SOUND: SpeechForensics took it from the original YouTube videos. Put it into
audio/000.wav (or .m4a): the sound of a sequence serves its genuine clip and the forgeries that target it. That folder
is this project's convention, not the release's. FaceShifter is read from the same tree.

DeeperForensics-1.0 (Jiang et al., CVPR 2020), after dataset/README.md of its repository:

    manipulated_videos/{end_to_end,end_to_end_level_1,...,reenact_postprocess}/000_M101.mp4
    source_videos/M101/...                the actors: NOT the genuine part, says that README
    lists/splits/{train,val,test}.txt     forged file names

Its genuine clips are the c23 originals of FaceForensics++: copy or link original_sequences beside manipulated_videos.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from monitor.lab.corpus.datasets.base import (
    SOUNDS,
    DatasetClips,
    DatasetPart,
    Layout,
    first,
    make,
    missing,
    no_lists,
    read_json,
    read_lines,
    videos,
    with_both_labels,
)
from monitor.lab.corpus.manifest import CorpusError, Row

TITLE, DEEPER = "FaceForensics++", "DeeperForensics-1.0"
METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
COMPRESSIONS = ("c23", "raw", "c40")
ORIGINAL = Path("original_sequences/youtube")


def _read(root: Path, wanted: DatasetPart, methods: tuple[str, ...] = METHODS, title: str = TITLE) -> DatasetClips:
    if not (root / ORIGINAL).is_dir():
        raise missing(title, root, str(ORIGINAL))
    level = _compression(root, wanted, title)
    chosen, notes = _sequences(root, wanted, title)
    rows = _originals(root, level)
    for method in methods:
        folder = root / "manipulated_sequences" / method / level / "videos"
        rows += [make(root, p, "fake", method, p.stem[:3], sound=_sound(root, p.stem[:3])) for p in videos(folder)]
    in_subset = [row for row in rows if chosen is None or row.subject in chosen]
    if in_subset and not any(row.sound for row in in_subset):
        notes = (*notes, f"{title} is released without sound: see docs/evaluate.md for where to put it")
    return with_both_labels(DatasetClips(in_subset, notes), f"{title} at {level}", root)


def _originals(root: Path, level: str) -> list[Row]:
    folder = root / ORIGINAL / level / "videos"
    return [make(root, p, "real", "real", p.stem, sound=_sound(root, p.stem)) for p in videos(folder)]


def _compression(root: Path, wanted: DatasetPart, title: str) -> str:
    """Pick the compression that was asked for, or the first of c23, raw and c40 that is there."""
    if wanted.compression is not None and wanted.compression not in COMPRESSIONS:
        raise CorpusError(f"unknown compression {wanted.compression!r}: {title} has {', '.join(COMPRESSIONS)}")
    levels = (wanted.compression,) if wanted.compression else COMPRESSIONS
    level = next((c for c in levels if (root / ORIGINAL / c / "videos").is_dir()), None)
    if level is None:
        raise missing(title, root, f"{ORIGINAL}/{'|'.join(levels)}/videos")
    return level


def _sequences(root: Path, wanted: DatasetPart, title: str) -> tuple[set[str] | None, tuple[str, ...]]:
    """Sequences of the subset, None for all of them."""
    if wanted.subset == "all":
        return None, ()
    name = f"{wanted.subset or 'test'}.json"
    path = first(root / folder / name for folder in ("splits", "dataset/splits", "."))
    if path is None:
        return None, no_lists(wanted, title, root, f"splits/{name}")
    return {str(sequence) for pair in read_json(path) for sequence in pair}, ()


def _sound(root: Path, sequence: str) -> Path | None:
    return first(root / "audio" / f"{sequence}{suffix}" for suffix in (*SOUNDS, ".mp4"))


def _read_faceshifter(root: Path, wanted: DatasetPart) -> DatasetClips:
    return _read(root, wanted, ("FaceShifter",), "FaceShifter (in FaceForensics++)")


def _read_deeper(root: Path, wanted: DatasetPart) -> DatasetClips:
    forged = root / "manipulated_videos"
    if not forged.is_dir():
        raise missing(DEEPER, root, "manipulated_videos")
    if not (root / ORIGINAL).is_dir():
        raise missing(DEEPER, root, f"{ORIGINAL} (its genuine clips are those of {TITLE}: copy or link them)")
    rows = list(_deeper_fakes(root, forged))
    listed, notes = _deeper_list(root, wanted)
    if listed is not None:
        rows = [row for row in rows if row.path.name in listed]
    # The genuine clips of the same target sequences.
    targets = {row.subject for row in rows}
    rows += [row for row in _originals(root, _compression(root, wanted, DEEPER)) if row.subject in targets]
    return with_both_labels(DatasetClips(rows, notes), DEEPER, root)


def _deeper_fakes(root: Path, forged: Path) -> Iterator[Row]:
    for path in videos(forged):
        target = path.stem.split("_")[0]
        yield make(root, path, "fake", path.relative_to(forged).parts[0], target, sound=_sound(root, target))


def _deeper_list(root: Path, wanted: DatasetPart) -> tuple[set[str] | None, tuple[str, ...]]:
    if wanted.subset == "all":
        return None, ()
    name = f"lists/splits/{wanted.subset or 'test'}.txt"
    if not (root / name).exists():
        return None, no_lists(wanted, DEEPER, root, name)
    return {Path(line).name for line in read_lines(root / name)}, ()


def _has(*names: str) -> Callable[[Path], bool]:
    return lambda root: all((root / name).exists() for name in names)


LAYOUTS = (
    Layout("faceforensics", TITLE, _has("original_sequences", "manipulated_sequences"), _read),
    Layout("faceshifter", "FaceShifter", lambda _: False, _read_faceshifter),
    Layout("deeperforensics", DEEPER, _has("manipulated_videos"), _read_deeper),
)
