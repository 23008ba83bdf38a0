"""Seals model packs: writes into a manifest what every file of the pack hashes to.

A pack that is sealed anew has another manifest, so a signature beside it is taken away, and whoever trusted it before
is asked again; the process that sealed it trusts it until it ends.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engines.base import MODEL
from engines.packs import parse_json, parse_manifest, read_manifest
from engines.trust import MANIFEST, SIGNATURE, trust_here


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of a pack by its name, but for manifest and signature; raises `OSError`."""
    paths = sorted(path for path in folder.iterdir() if path.name not in (MANIFEST, SIGNATURE))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def seal(folder: Path, manifest: Mapping[str, Any] | None = None) -> None:
    """Write the manifest, by default the one that is there, with the hashes of what lies beside it now.

    Raises `ModelPackError` for a manifest that cannot be used, and `OSError`.
    """
    path = folder / MANIFEST
    given = dict(parse_json(read_manifest(folder), path)) if manifest is None else dict(manifest)
    files = hashes(folder)
    sealed = {key: given.pop(key) for key in ("schema", "name", "version") if key in given}
    sealed |= {"sha256": files.get(MODEL, ""), "files": files}
    sealed |= {key: value for key, value in given.items() if key not in sealed}
    parse_manifest(sealed, path)
    content = (json.dumps(sealed, indent=2) + "\n").encode()
    (folder / SIGNATURE).unlink(missing_ok=True)
    path.write_bytes(content)
    trust_here(content)


def write_beside(path: Path, content: bytes) -> bool:
    """Write a file, and seal the pack that it lies in anew, if it lies in one; says whether it does.

    Raises `ModelPackError`, and `OSError`.
    """
    path.write_bytes(content)
    if not (path.parent / MANIFEST).is_file():
        return False
    seal(path.parent)
    return True


def changes(folder: Path) -> list[str] | None:
    """Return the files of a pack that are not what its manifest says, in words; None where it lists no files.

    Raises `ModelPackError` for a manifest that cannot be read, and `OSError`.
    """
    raw = parse_json(read_manifest(folder), folder / MANIFEST)
    if isinstance(raw, dict) and "files" not in raw:
        return None
    listed, found = parse_manifest(raw, folder / MANIFEST).files, hashes(folder)
    words = {name: "changed" if name in found and name in listed else "new" for name in found}
    words |= {name: "missing" for name in listed if name not in found}
    return [f"{name} ({word})" for name, word in sorted(words.items()) if listed.get(name) != found.get(name)]
