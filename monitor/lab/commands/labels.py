"""`sidewitness evaluate --labels FILE`: how often the findings of a real installation were right."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import typer

from engines.errors import SidewitnessError
from monitor.alerts.casework.labels import read_labels
from monitor.lab.metrics.precision import Labelled, Precision, precision_table
from monitor.types import parse_rfc3339


class LabelsFileError(SidewitnessError):
    """The file of labels cannot be read; the message is one line that says what to do."""

    exit_status = 2


def run(file: Path, out: Path, as_json: bool, *, alone: bool) -> int:
    """Print precision by detector and week, and write it to precision.json in `out`."""
    if not alone:
        raise typer.BadParameter("--labels measures findings by themselves: leave out DATA", param_hint="--labels")
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise LabelsFileError(f"{file} cannot be read: export labels with `sidewitness findings export`") from None
    rows = [Labelled(row.detector or "unknown", parse_rfc3339(row.opened), row.label) for row in read_labels(text)]
    table = precision_table(rows)
    summary = {"findings": len(rows), "precision": [asdict(row) for row in table]}
    out.mkdir(parents=True, exist_ok=True)
    (out / "precision.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        _print(table, len(rows))
    return 0


def _print(table: list[Precision], count: int) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, title=f"Precision of {count} labelled findings", title_justify="left")
    for heading in ("detector", "week", "true", "false", "unsure", "precision", "95 % interval"):
        shown.add_column(heading)
    for row in table:
        shown.add_row(*_cells(row))
    Console().print(shown)


def _cells(row: Precision) -> tuple[str, ...]:
    share = "" if row.precision is None else f"{row.precision:.2f}"
    return (
        row.detector,
        row.week,
        str(row.true),
        str(row.false),
        str(row.unsure),
        share,
        f"{row.low:.2f} to {row.high:.2f}",
    )
