"""A benchmark for people: tables on the terminal and a picture of the budgets."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor.bench.budgets import Row
from monitor.bench.result import Result
from monitor.bench.stages import Stage

COLOURS = {"ok": "green", "over": "bold red", "measured": "dim", "not measured": "yellow"}
MOST = 2.0
WIDE = 120
BARS = {"ok": "#2f7d5b", "over": "#c0392b"}


def show(result: Result, console: Console) -> None:
    """Print machine, stages, budgets and notes."""
    machine, settings = result.machine, result.settings
    packages = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    console.print(
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']:g} GB; load {machine['load_before']}",
        f"Python {machine['python']}, {machine['system']}; {packages}",
        f"engine {settings['engine']}; clip {settings['clip']}, {settings['loop_seconds']:g} s looped "
        f"at {settings['kilobits_per_second']} kbit/s; {settings['participants']} participants",
        sep="\n",
        markup=False,
        highlight=False,
    )
    console.print(stage_table(result.stages))
    wide = console.width >= WIDE
    console.print(budget_table(result.rows, wide))
    if not wide:
        for row in result.rows:
            if row.value is None:
                console.print(f"Not measured, {row.name}: {row.note}", markup=False, highlight=False)
    if result.verdicts:
        told = ", ".join(f"{name} {count}" for name, count in sorted(result.verdicts.items()))
        console.print(f"Verdicts told meanwhile: {told}.", markup=False, highlight=False)
    for note in result.notes:
        console.print(f"Note: {note}", markup=False, highlight=False)


def stage_table(stages: list[Stage]) -> Table:
    """Make the table of one participant's stages."""
    table = _table("One participant, in this process, one thread")
    table.add_column("stage")
    for column in ("ms per frame", "ms per call", "p95 of a call", "calls per s"):
        table.add_column(column, justify="right")
    for stage in stages:
        per_call, tail = (number(value) for value in (stage.per_call, stage.per_call_p95))
        table.add_row(stage.name, number(stage.per_frame), per_call, tail, f"{stage.calls_per_second:.1f}")
    table.add_row("sum", number(sum(stage.per_frame for stage in stages)), "", "", "")
    return table


def budget_table(rows: list[Row], wide: bool = True) -> Table:
    """Make the table of what was measured, each next to its budget; `wide` adds how it was measured."""
    table = _table("Budgets")
    table.add_column("what", no_wrap=True)
    table.add_column("measured", justify="right", no_wrap=True)
    table.add_column("budget", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    if wide:
        table.add_column("how", overflow="fold")
    for row in rows:
        budget = "" if row.budget is None else str(row.budget)
        value = "-" if row.value is None else f"{number(row.value)} {row.unit}"
        state = Text("" if row.state == "measured" else row.state, COLOURS[row.state])
        table.add_row(row.name, value, budget, state, *([Text(row.note, "dim")] if wide else []))
    return table


def number(value: float | None) -> str:
    """Write a number with the digits that mean something."""
    if value is None:
        return "-"
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def draw(result: Result, path: Path) -> None:
    """Draw the share of each budget that is used up; bars are cut at twice the budget."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = [row for row in reversed(result.rows) if row.budget is not None]
    figure, axes = plt.subplots(figsize=(9, 0.6 + 0.42 * len(rows)), layout="constrained")
    for height, row in enumerate(rows):
        told = "not measured"
        if row.value is not None and row.budget is not None:
            axes.barh(height, min(row.budget.used(row.value), MOST), color=BARS[row.state])
            told = f"{number(row.value)} {row.unit}, budget {row.budget}"
        axes.text(MOST + 0.05, height, told, va="center", fontsize=8)
    axes.axvline(1.0, color="black", linewidth=1)
    axes.set_yticks(range(len(rows)), [row.name for row in rows], fontsize=8)
    axes.set(xlim=(0, MOST + 0.9), xlabel="share of the budget", title=result.machine["processor"])
    axes.set_xticks([0, 0.5, 1, 1.5, 2], ["0", "50 %", "100 %", "150 %", "200 %"])
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
