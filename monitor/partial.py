"""What has been scored already, kept line by line so that a killed evaluation goes on where it stopped.

One JSON object a line, written and flushed as soon as a clip is done. The key holds everything that determines an
outcome, so a line is either right or not found; a half-written last line is cut off before anything is appended.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one detector says of one clip: a score (higher is more suspicious) or the reason why there is none.

    `p_value` is None where the packs bring no calibration; `seconds` is the clip's length and `trimmed` how much of it
    was dropped before the first speech.
    """

    score: float | None
    reason: str | None = None
    p_value: float | None = None
    seconds: float = 0.0
    trimmed: float = 0.0


class Partial:
    """The file of finished outcomes, by key; a context manager that holds it open for appending."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self.outcomes: dict[str, Outcome] = {}

    def __enter__(self) -> Self:
        """Read what is there and open the file for more."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        whole = _whole_lines(self._path)
        self.outcomes = dict(found for line in whole.splitlines() if (found := _parse(line)) is not None)
        self._file = self._path.open("ab")
        self._file.truncate(len(whole))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def add(self, key: str, outcome: Outcome, about: Mapping[str, str]) -> None:
        """Append one outcome, unless it is there; `about` is for people who read the file."""
        if self._file is None:
            raise ValueError("the file of outcomes is not open: use it in a `with` block")
        if key not in self.outcomes:
            self.outcomes[key] = outcome
            self._file.write(json.dumps({"key": key, **about, **asdict(outcome)}).encode() + b"\n")
            self._file.flush()


def _whole_lines(path: Path) -> bytes:
    data = path.read_bytes() if path.exists() else b""
    return data[: data.rfind(b"\n") + 1]


def _parse(line: bytes) -> tuple[str, Outcome] | None:
    """Read one line; None where it is none of ours, as after a disk that was full."""
    try:
        raw: dict[str, Any] = json.loads(line)
        names = ("score", "reason", "p_value", "seconds", "trimmed")
        return str(raw["key"]), Outcome(**{name: raw[name] for name in names})
    except (ValueError, KeyError, TypeError):
        return None
