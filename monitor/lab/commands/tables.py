"""Tables that more than one command prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer


def show_paired_forgeries(report: Mapping[str, Any]) -> None:
    """Print each method's paired wins and AUC by every score, and once more against re-encoded genuine clips."""
    from rich.console import Console
    from rich.table import Table

    from monitor.lab.studies.paired_forgeries import SCORES

    for method, scores in report.items():
        detector = scores["pairwise"]
        table = Table(title=f"{method}: {detector['forged_clips']} forged clips of {detector['people']} people")
        for heading in ("score", "paired wins", "95 %", "AUC", "95 %", "re-encoded: wins", "AUC"):
            table.add_column(heading)
        for name in SCORES:
            recorded, re_encoded = scores[name], scores["re-encoded"][name]
            numbers = [recorded[n] for n in ("wins", "wins_low", "wins_high", "auc", "auc_low", "auc_high")]
            wins, wins_low, wins_high, auc, auc_low, auc_high, *other = (
                "-" if n is None else f"{n:.2f}" for n in (*numbers, re_encoded["wins"], re_encoded["auc"])
            )
            table.add_row(name, wins, f"{wins_low}-{wins_high}", auc, f"{auc_low}-{auc_high}", *other)
        Console(width=100).print(table)
        typer.echo(f"p <= 0.05: {scores['p_at_most_0.05']}")
