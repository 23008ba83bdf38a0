"""The digest of a recording: the hash of its content, whatever the file is called."""

from __future__ import annotations

import hashlib
from pathlib import Path


def digest(clip: Path, sound: Path | None = None) -> str:
    """Hash a clip (a file, or a folder of files) and its separate `sound`: 32 hexadecimal digits; raises `OSError`."""
    files = sorted(p for p in clip.iterdir() if p.is_file()) if clip.is_dir() else [clip]
    sha256 = hashlib.sha256()
    for path in [*files, *([sound] if sound else [])]:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                sha256.update(block)
    return sha256.hexdigest()[:32]
