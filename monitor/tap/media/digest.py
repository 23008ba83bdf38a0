"""What a recording is known by: the hash of its content, whatever the file is called."""

from __future__ import annotations

import hashlib
from pathlib import Path


def digest(clip: Path, sound: Path | None = None) -> str:
    """Hash of a clip's content, 32 hexadecimal digits, also of one in several files; raises `OSError`."""
    files = sorted(p for p in clip.iterdir() if p.is_file()) if clip.is_dir() else [clip]
    whole = hashlib.sha256()
    for path in [*files, *([sound] if sound else [])]:
        with path.open("rb") as file:
            while part := file.read(1 << 20):
                whole.update(part)
    return whole.hexdigest()[:32]
