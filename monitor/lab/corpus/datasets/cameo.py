"""Wholly generated videos of real people: S2CFP, the Sora 2 Cameo Forensics Preview (Shiohara et al., 2026).

Of each subject the release has, says its card, 40 real clips for reference, and 12 real and 12 fake ones for testing.
It is gated and its folders are not documented, so any tree is read in which one folder names the kind of a clip and
another one the subject, in either order:

    <subject>/{ref*,real*,fake*}/**/*.mp4      or      {ref*,real*,fake*}/<subject>/**/*.mp4

The kind is the first folder whose name begins with ref, real, fake, sora or cameo (the last three are forged). A folder
`real` inside of `ref` is reference; `test/` and `train/` are passed over. That this fits the release could not be
verified: where it does not, write a manifest with the column `reference`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from monitor.lab.corpus.datasets.base import (
    DatasetClips,
    DatasetPart,
    Layout,
    make,
    missing,
    videos,
    with_both_labels,
    with_references,
)
from monitor.lab.corpus.manifest import Row

S2CFP = "S2CFP"
_KINDS = {"ref": "reference", "real": "real", "fake": "fake", "sora": "fake", "cameo": "fake"}
_PLAIN_FOLDERS = {"test", "train", "videos", "clips", "data"}


def _read_cameo(root: Path, wanted: DatasetPart) -> DatasetClips:
    if wanted.subset not in (None, "all", "test"):
        raise missing(S2CFP, root, f"official list of {wanted.subset}: its clips are for testing, or for reference")
    rows: list[Row] = []
    references: defaultdict[str, list[Path]] = defaultdict(list)
    for path in videos(root):
        kind, who = _kind_and_subject(path.relative_to(root).parts[:-1])
        if kind == "reference":
            references[who].append(path)
        elif kind in ("real", "fake"):
            rows.append(make(root, path, kind, "real" if kind == "real" else "Sora 2", who))
    # All forty are the person's reference.
    with_all_references = [replace(row, reference=tuple(references.get(row.subject, ()))) for row in rows]
    return with_both_labels(DatasetClips(with_references(with_all_references, {})), S2CFP, root)


def _kind_and_subject(folders: tuple[str, ...]) -> tuple[str | None, str]:
    """Kind of a clip and its subject, by the folders that it is in."""
    kinds = [(at, kind) for at, name in enumerate(folders) if (kind := _kind(name)) is not None]
    if not kinds:
        return None, ""
    others = [name for name in folders if _kind(name) is None and name.lower() not in _PLAIN_FOLDERS]
    return kinds[0][1], others[0] if others else ""


def _kind(name: str) -> str | None:
    return next((kind for start, kind in _KINDS.items() if name.lower().startswith(start)), None)


def _looks_like_cameo(root: Path) -> bool:
    return "s2cfp" in root.name.lower()


LAYOUTS = (Layout("s2cfp", S2CFP, _looks_like_cameo, _read_cameo),)
