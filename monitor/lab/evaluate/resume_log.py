"""Finished work of any kind, kept line by line, so that what was killed goes on where it stopped.

One JSON object a line, written and flushed as soon as a piece is done. The key holds everything that determines what
was found, so a line is either right or not looked up; a half-written last line is cut off before anything is appended.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self


class ResumeLog:
    """The file, and what it holds by key; a context manager that keeps it open for appending."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self.entries: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Self:
        """Read what is there and open the file for more."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        data = self._path.read_bytes() if self._path.exists() else b""
        whole_lines = data[: data.rfind(b"\n") + 1]
        self.entries = dict(entry for line in whole_lines.splitlines() if (entry := _parse(line)) is not None)
        self._file = self._path.open("ab")
        self._file.truncate(len(whole_lines))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def add(self, key: str, entry: Mapping[str, Any]) -> None:
        """Append one entry of JSON values."""
        if self._file is None:
            raise ValueError("the file is not open: use it in a `with` block")
        self.entries[key] = dict(entry)
        self._file.write(json.dumps({"key": key, **entry}).encode() + b"\n")
        self._file.flush()


def _parse(line: bytes) -> tuple[str, dict[str, Any]] | None:
    """Read one line; None where it is none of ours, as after a disk that was full."""
    try:
        raw = json.loads(line)
        return str(raw.pop("key")), raw
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
