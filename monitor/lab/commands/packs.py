"""What the commands on model packs share: which packs there are, and tables of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

Models = Annotated[Path | None, typer.Option(help="Folder of model packs (default: those of the installation).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Rows = Sequence[Mapping[str, Any]]


def names_in(folder: Path) -> list[str]:
    """Names of the packs in a folder; raises `ModelPackError` where there are none."""
    from engines.base import ModelPackError
    from engines.load import pack_names

    names = pack_names(folder)
    if not names:
        raise ModelPackError(f"no model pack in {folder}: reinstall sidewitness, or name another folder with --models")
    return names


def tell_to_trust(*folders: Path) -> None:
    """Say that packs made or changed now are refused elsewhere until they are trusted, and how that is done."""
    names = " ".join(map(str, folders))
    typer.echo(f"Not trusted yet but by this run: sidewitness engines trust {names}", err=True)


def plain(rows: Rows) -> list[dict[str, Any]]:
    """Rows for programs: keys without spaces."""
    return [{key.replace(" ", "_"): value for key, value in row.items()} for row in rows]


def show(title: str, columns: Sequence[str], rows: Rows) -> None:
    """Print a table for people."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, title=title, title_justify="left", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    Console().print(table)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, float):
        small, large = abs(value) < 1e-3, abs(value) >= 1e3
        return f"{value:.1e}" if small else f"{value:.0f}" if large else f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(
            f"{name} {'x'.join('*' if n == -1 else str(n) for n in shape)}" for name, shape in value.items()
        )
    return "" if value is None else str(value)
