"""Labels of findings as a table for calibration: one row a finding, without the name of anybody. Pure.

The finding's id leads back to it, for who may look; nothing else in a row does.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from engines.errors import SidewitnessError
from monitor.alerts.casework.case import Case
from monitor.alerts.casework.events import Label
from monitor.alerts.finding import Finding
from monitor.types import parse_rfc3339, rfc3339


class LabelsError(SidewitnessError):
    """A file of labels cannot be used; the message is one line that says what to do."""

    exit_status = 2


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A labelled finding: what it opened with, and what somebody found out.

    `opened` and `labelled` in RFC 3339; `detector` found it, empty where that is not known; `score`, `p_value` and
    `statistic` are those at the opening, empty where there was none.
    """

    finding: str
    opened: str
    detector: str
    reason: str
    label: str
    labelled: str
    score: str = ""
    p_value: str = ""
    statistic: str = ""


COLUMNS = tuple(field.name for field in fields(LabelRow))


def label_row(opening: Finding, case: Case, detectors: Mapping[str, str]) -> LabelRow:
    """Return the row of a finding by its first change and its case, which must have a label.

    `detectors` says by reason which detector finds that.
    """
    reason = opening.reason or ""
    detector = detectors.get(reason, "")
    score: Mapping[str, Any] = opening.scores.get(detector, {})
    labelled = rfc3339(case.labelled) if case.labelled is not None else ""
    return LabelRow(
        opening.id,
        rfc3339(opening.time),
        detector,
        reason,
        str(case.label),
        labelled,
        _text(score.get("score")),
        _text(score.get("p_value")),
        _text(opening.conditions.get("statistic")),
    )


def write_labels(rows: Iterable[LabelRow]) -> str:
    """Return the rows as CSV, the oldest finding first."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in sorted(rows, key=lambda row: (row.opened, row.finding)))
    return text.getvalue()


def read_labels(text: str) -> Sequence[LabelRow]:
    """Return the rows of a CSV that `write_labels` wrote, or one with its first six columns; raises `LabelsError`."""
    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in COLUMNS[:6] if name not in (reader.fieldnames or ())]
    if missing:
        raise LabelsError(f"the labels have no column {missing[0]}: export them with `sidewitness findings export`")
    try:
        rows = [LabelRow(*((raw.get(name) or "") for name in COLUMNS)) for raw in reader]
    except csv.Error:
        raise LabelsError("the labels are no CSV: export them with `sidewitness findings export`") from None
    for number, row in enumerate(rows, 2):
        if row.label not in list(Label):
            raise LabelsError(f"line {number} of the labels: the label is true, false or unsure")
        if not _is_time(row.opened):
            raise LabelsError(f"line {number} of the labels: `opened` is no time with its zone")
    return rows


def _is_time(text: str) -> bool:
    try:
        return parse_rfc3339(text).tzinfo is not None
    except ValueError:
        return False


def _text(value: Any) -> str:
    return "" if value is None else f"{value:.6g}"
