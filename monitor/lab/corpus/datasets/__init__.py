"""Published data sets, read as they come: a folder in, rows of clips out. One line in `LAYOUTS` a data set."""

from __future__ import annotations

from pathlib import Path

from monitor.lab.corpus.datasets import audiovisual, cameo, faceforensics, speech, swaps
from monitor.lab.corpus.datasets.base import SUBSETS, DatasetClips, DatasetPart, Layout
from monitor.lab.corpus.manifest import CorpusError, Row, read_folder, read_manifest

__all__ = ["LAYOUTS", "DatasetClips", "DatasetPart", "read_clips", "read_corpus", "read_dataset"]

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (*faceforensics.LAYOUTS, *swaps.LAYOUTS, *audiovisual.LAYOUTS, *cameo.LAYOUTS, *speech.LAYOUTS)
}


def detect(folder: Path) -> tuple[Layout, Path] | None:
    """Know a data set by what a folder holds, or the only folder in it: the layout and where it begins."""
    for _ in range(2):
        for layout in LAYOUTS.values():
            if layout.looks_like(folder):
                return layout, folder
        inside = [p for p in folder.iterdir() if p.is_dir()]
        if len(inside) != 1:
            return None
        folder = inside[0]
    return None


def read_clips(
    path: Path, dataset: str | None = None, wanted: DatasetPart | None = None
) -> tuple[str | None, DatasetClips]:
    """Read clips to evaluate: those of a data set with its name, or of a manifest.csv with None.

    Raises `CorpusError`, also when a subset or a compression is wanted of a manifest.
    """
    if dataset is not None or path.is_dir():
        return read_dataset(path, dataset, wanted)
    if wanted is not None and (wanted.subset or wanted.compression):
        raise CorpusError(f"{path.name} is a manifest: --subset and --compression choose from a data set's folder")
    return None, DatasetClips(read_manifest(path))


def read_dataset(folder: Path, name: str | None = None, wanted: DatasetPart | None = None) -> tuple[str, DatasetClips]:
    """Read a published data set, given by its name or recognised by what it holds: its name and its clips.

    Raises `CorpusError` with one line that says what is missing.
    """
    if name is not None and name not in LAYOUTS:
        raise CorpusError(f"unknown data set {name!r}: there is {', '.join(LAYOUTS)}")
    if not folder.is_dir():
        raise CorpusError(f"{folder} is not a folder: give that of the data set, or a manifest.csv")
    layout_and_root = (LAYOUTS[name], folder) if name else detect(folder)
    if layout_and_root is None:
        raise CorpusError(
            f"{folder} looks like none of the known data sets: name it with --dataset, or give a manifest.csv"
        )
    layout, root = layout_and_root
    if wanted is not None and wanted.subset not in (None, *SUBSETS):
        raise CorpusError(f"unknown subset {wanted.subset!r}: use one of {', '.join(SUBSETS)}")
    return layout.name, layout.read(root, wanted or DatasetPart())


def read_corpus(path: Path, dataset: str | None = None) -> list[Row]:
    """Read clips to train on: a manifest.csv, a published data set (all of it), or any folder of genuine clips.

    Of a folder that is no known data set every video is taken for genuine, its folder naming the subject. Raises
    `CorpusError`.
    """
    if dataset is None and not path.is_dir():
        return read_manifest(path)
    if dataset is None and detect(path) is None:
        return read_folder(path)
    return read_dataset(path, dataset, DatasetPart("all"))[1].rows
