"""What figures depend on, as hashes: files of packs, manifests of data, and code."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from engines.packs import parse_json, read_manifest
from engines.trust import MANIFEST
from monitor.detectors.packs import home
from monitor.lab.suite.parts import SPEECH
from monitor.session.models import speech_packs

ROOT = Path(__file__).parents[3]


ABSENT = "absent"


def pack_files(names: Iterable[str], models: Path, absent: bool = False) -> dict[str, str]:
    """Hash of each file that is named as `pack/file`, by the packs' manifests.

    Raises `ModelPackError` for a pack that is not there, unless it may be `absent`.
    """
    wanted: list[str] = []
    for name in names:
        wanted += [f"{pack}/model.onnx" for pack in speech_packs(models)] if name == SPEECH else [name]
    found = {}
    for name in sorted(set(wanted)):
        pack, file = name.split("/")
        folder = home(pack, models) / pack
        found[name] = ABSENT if absent and not folder.exists() else _files(folder).get(file, ABSENT)
    return found


def data_files(paths: Iterable[Path]) -> dict[str, str]:
    """Hash of each manifest or split, by its name; raises `OSError`."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@cache
def code(folders: tuple[str, ...], root: Path = ROOT) -> str:
    """Hash of the Python files under these folders of the repository: figures of other code are made anew."""
    total = hashlib.sha256()
    for folder in folders:
        path = root / folder
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            total.update(f"{file.relative_to(root)}\n".encode() + file.read_bytes())
    return total.hexdigest()


def training_sources(packs: Path) -> frozenset[str]:
    """Name the sources of the clips that the lip encoder of a folder was trained on, by its manifest."""
    folder = home("speech_lips", packs) / "speech_lips"
    raw = parse_json(read_manifest(folder), folder / MANIFEST)
    named = raw.get("data", {}).get("sources", "") if isinstance(raw, dict) else ""
    return frozenset(part.strip() for part in str(named).split(",") if part.strip())


def _files(folder: Path) -> dict[str, str]:
    raw = parse_json(read_manifest(folder), folder / MANIFEST)
    return dict(raw.get("files", {})) if isinstance(raw, dict) else {}
