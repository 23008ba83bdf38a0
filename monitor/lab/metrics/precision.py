"""How often findings were right, by who labelled them: by detector, and by week. Pure.

Precision is the share of `true` among those labelled `true` or `false`, with its Wilson interval; `unsure` counts for
neither. It says nothing of what was missed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from monitor.lab.metrics.intervals import wilson

ALL = "all"


@dataclass(frozen=True, slots=True)
class Labelled:
    """A finding that was labelled: by which detector, when it opened, and `true`, `false` or `unsure`."""

    detector: str
    opened: datetime
    label: str


@dataclass(frozen=True, slots=True)
class Precision:
    """Counts of one detector in one week (`2026-W09`, ISO 8601), or in `all`; None where nothing was decided."""

    detector: str
    week: str
    true: int
    false: int
    unsure: int
    precision: float | None
    low: float
    high: float


def week_of(time: datetime) -> str:
    """Name the ISO week of a time, by its own zone."""
    year, week, _ = time.isocalendar()
    return f"{year}-W{week:02d}"


def precision_table(findings: Iterable[Labelled]) -> list[Precision]:
    """Return a row for each detector and week and for each detector, then those of all detectors; weeks in order."""
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for finding in findings:
        for detector in (finding.detector, ALL):
            for week in (week_of(finding.opened), ALL):
                row = counts.setdefault((detector, week), {"true": 0, "false": 0, "unsure": 0})
                row[finding.label] += 1
    keys = sorted(counts, key=lambda key: (key[0] == ALL, key[0], key[1] == ALL, key[1]))
    return [_row(*key, counts[key]) for key in keys]


def _row(detector: str, week: str, counts: dict[str, int]) -> Precision:
    decided = counts["true"] + counts["false"]
    low, high = wilson(counts["true"], decided)
    share = counts["true"] / decided if decided else None
    return Precision(detector, week, counts["true"], counts["false"], counts["unsure"], share, low, high)
