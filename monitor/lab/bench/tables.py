"""A benchmark for people: tables on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor.lab.bench.budgets import Measurement
from monitor.lab.bench.capacity import Capacity
from monitor.lab.bench.comparison import Comparison
from monitor.lab.bench.curve import Curve
from monitor.lab.bench.engine_speed import EngineSpeed, EngineSpeeds
from monitor.lab.bench.growth import Growth
from monitor.lab.bench.peer import PeerComparison
from monitor.lab.bench.result import BenchResult
from monitor.lab.bench.stage_times import Stage
from monitor.lab.bench.variants import UNITS, LiveVariant

COLOURS = {"ok": "green", "over": "bold red", "measured": "dim", "not measured": "yellow"}
CHANGES = {"better": "green", "worse": "bold red", "same": "dim", "": ""}
WIDE = 120


def show(result: BenchResult, console: Console) -> None:
    """Print machine, stages, budgets and notes."""
    machine, settings = result.machine, result.settings
    packages = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    console.print(
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']:g} GB; load {machine['load_before']}",
        f"Python {machine['python']}, {machine['system']}; {packages}",
        f"engine {settings['engine']}; clip {settings['clip']}, {settings['loop_seconds']:g} s looped "
        f"at {settings['kilobits_per_second']} kbit/s; {settings['participants']} participants, "
        f"{', '.join(settings['detectors'])}",
        sep="\n",
        markup=False,
        highlight=False,
    )
    if result.stages:
        console.print(stage_table(result.stages))
    if result.speeds and result.speeds.rows:
        console.print(speed_table(result.speeds))
    if result.capacity:
        console.print(capacity_table(result.capacity))
    if result.growth:
        console.print(growth_table(result.growth))
    if result.curve:
        console.print(curve_table(result.curve))
    if len(result.variants) > 1:
        console.print(variant_table(result.variants))
    if result.peer:
        console.print(peer_table(result.peer))
    wide = console.width >= WIDE
    console.print(budget_table(result.rows, wide))
    if not wide:
        for row in result.rows:
            if row.value is None:
                console.print(f"Not measured, {row.name}: {row.note}", markup=False, highlight=False)
    if result.verdicts:
        counts = ", ".join(f"{name} {count}" for name, count in sorted(result.verdicts.items()))
        console.print(f"Verdicts told meanwhile: {counts}.", markup=False, highlight=False)
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


def budget_table(rows: list[Measurement], wide: bool = True) -> Table:
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
    if isinstance(value, int):
        return str(value)
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def speed_table(speeds: EngineSpeeds) -> Table:
    """Make the table of the encoders, a line for each engine and pack, rows a second by batch."""
    batches = sorted({row.batch for row in speeds.rows})
    table = _table("Encoders, one caller: ms of a call p50 / p95 (rows a second)")
    table.add_column("encoder", no_wrap=True)
    table.add_column("engine", no_wrap=True)
    for batch in batches:
        table.add_column(f"batch {batch}", justify="right", no_wrap=True)
    table.add_column("gain", justify="right", no_wrap=True)
    for pack, engine in dict.fromkeys((row.pack, row.engine) for row in speeds.rows):
        by_batch = {row.batch: row for row in speeds.rows if (row.pack, row.engine) == (pack, engine)}
        cells = [_speed(by_batch[batch]) if batch in by_batch else "-" for batch in batches]
        table.add_row(pack, engine, *cells, f"{max(row.gain for row in by_batch.values()):.2f} x")
    return table


def _speed(row: EngineSpeed) -> str:
    return f"{number(row.p50_ms)} / {number(row.p95_ms)} ({row.items_per_second:.0f})"


def capacity_table(capacity: Capacity) -> Table:
    """Make the table of the calls that were tried."""
    table = _table("Live capacity")
    for column in ("participants", "score age p50", "p95", "cores", "sender's", "others'"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for step in sorted(capacity.steps, key=lambda step: step.participants):
        shares = (step.cores, step.publisher_cores, step.others_cores)
        ages = (f"{number(age)} s" if age is not None else "-" for age in (step.age_p50, step.age_p95))
        verdict = Text("holds", COLOURS["ok"]) if step.held else Text(step.why, COLOURS["over"])
        table.add_row(str(step.participants), *ages, *(number(share) for share in shares), verdict)
    return table


def growth_table(growth: Growth) -> Table:
    """Make the table of the calls that were tried, in one process and in several."""
    table = _table("Live capacity, by processes that judge")
    for column in ("processes", "participants", "score age p95", "cores", "MB"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for count, step in growth.steps:
        age = f"{number(step.age_p95)} s" if step.age_p95 is not None else "-"
        verdict = Text("holds", COLOURS["ok"]) if step.held else Text(step.why, COLOURS["over"])
        table.add_row(str(count), str(step.participants), age, number(step.cores), f"{step.memory_mb:.0f}", verdict)
    return table


def curve_table(curve: Curve) -> Table:
    """Make the table of a growth curve."""
    where = f"{curve.processes} judging on {curve.cores} cores"
    table = _table(f"Growth, {where}; {curve.idle_mb:.0f} MB without participants")
    for column in ("participants", "cores", "score age p50", "p95", "MB", "sender's cores"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for point in curve.points:
        ages = (f"{number(age)} s" if age is not None else "-" for age in (point.age_p50, point.age_p95))
        verdict = Text("holds", COLOURS["ok"]) if point.held else Text(point.why, COLOURS["over"])
        costs = (number(point.cores), *ages, f"{point.memory_mb:.0f}", number(point.publisher_cores))
        table.add_row(str(point.participants), *costs, verdict)
    return table


def variant_table(variants: tuple[LiveVariant, ...]) -> Table:
    """Make the table of a live call, a column for each way in which it was set up."""
    table = _table("The live call, by what it is set up with")
    table.add_column("")
    for variant in variants:
        table.add_column(variant.name, justify="right", no_wrap=True)
    values = [variant.values() for variant in variants]
    for name in values[0]:
        table.add_row(f"{name}, {UNITS[name]}", *(number(found[name]) for found in values))
    return table


def peer_table(found: PeerComparison) -> Table:
    """Make the table of what a second of media costs on one core, by SpeechForensics' way and by a scan."""
    table = _table("Processor time of a second of media, one core: SpeechForensics' way (random weights), and a scan")
    table.add_column("", overflow="fold")
    for column in ("frames", "batch", "s per s", "MB"):
        table.add_column(column, justify="right", no_wrap=True)
    for stage in found.peer.stages:
        table.add_row(stage.name, str(stage.frames), str(stage.batch), f"{stage.per_second:.3f}", "")
    table.add_row("sum", "", "", f"{found.peer.per_second:.3f}", f"{found.peer.memory_mb:.0f}")
    for name, scan in found.scans().items():
        if scan is not None:
            cost = f"{scan.cpu_seconds:.3f} ({found.times(scan) or 0:.0f} times less)"
            table.add_row(name, "", "", cost, f"{scan.memory_mb:.0f}")
    return table


def show_comparison(compared: Comparison, console: Console) -> None:
    """Print old, new and their ratio, and what makes them doubtful."""
    table = _table("Compared with the earlier run")
    table.add_column("what", overflow="fold")
    for column in ("old", "new", "ratio"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    both = [row for row in compared.rows if row.old is not None and row.new is not None]
    for row in both:
        ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
        old, new = ("-" if value is None else f"{number(value)} {row.unit}" for value in (row.old, row.new))
        table.add_row(row.name, old, new, ratio, Text(row.change, CHANGES[row.change]))
    console.print(table)
    alone = len(compared.rows) - len(both)
    notes = [*compared.notes, *([f"{alone} more rows are in one of the runs only: see the JSON."] if alone else [])]
    for note in notes:
        console.print(f"Note: {note}", markup=False, highlight=False)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
