"""What has been scored already: the outcomes of an evaluation, kept as they come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Self

from monitor.lab.evaluate.resume_log import ResumeLog


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


class OutcomeLog:
    """Outcomes by key in a file; a context manager that holds it open for appending."""

    def __init__(self, path: Path) -> None:
        self._log = ResumeLog(path)
        self.outcomes: dict[str, Outcome] = {}

    def __enter__(self) -> Self:
        """Read what is there and open the file for more; entries of other work in it are left alone."""
        self._log.__enter__()
        names = [field.name for field in fields(Outcome)]
        self.outcomes = {
            key: Outcome(**{name: entry[name] for name in names})
            for key, entry in self._log.entries.items()
            if set(names) <= set(entry)
        }
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the file."""
        self._log.__exit__(kind, error, at)

    def add(self, key: str, outcome: Outcome, description: Mapping[str, str]) -> None:
        """Append one outcome, unless it is there; `description` is for people who read the file."""
        if key not in self.outcomes:
            self.outcomes[key] = outcome
            self._log.add(key, {**description, **asdict(outcome)})
