"""A benchmark as one picture: the budgets, how many participants hold, and how the encoders gain by batching."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from monitor.lab.bench.budgets import AGE, BUDGETS
from monitor.lab.bench.capacity import Capacity
from monitor.lab.bench.curve import Curve
from monitor.lab.bench.engine_speed import EngineSpeeds
from monitor.lab.bench.growth import Growth
from monitor.lab.bench.peer import PEER, PeerComparison
from monitor.lab.bench.result import BenchResult
from monitor.lab.bench.tables import number
from monitor.lab.plotting import pyplot, save

MAX_BUDGET_SHARE = 2.0
GOOD, BAD, GREY = "#2f7d5b", "#c0392b", "#999999"
STYLES = ("-", "--", ":", "-.")
BARS = {"ok": GOOD, "over": BAD}
# What is drawn over the size of a call, from which figure of it.
CURVES = {"cores": "cores", "score age p95, s": "age_p95", "memory, MB": "memory_mb"}


def draw(result: BenchResult, path: Path) -> None:
    """Draw what was measured into the PNG `path`: a panel for each part that has numbers."""
    panels: list[tuple[float, Callable[[Any], None]]] = []
    rows = [row for row in result.rows if row.budget is not None]
    if rows:
        panels.append((0.6 + 0.42 * len(rows), lambda axes: _budgets(axes, result)))
    if (capacity := result.capacity) is not None:
        panels.append((3.2, lambda axes: _capacity(axes, capacity)))
    if (growth := result.growth) is not None:
        panels.append((3.2, lambda axes: _growth(axes, growth)))
    if (curve := result.curve) is not None and curve.points:
        panels += [(2.2, partial(_curve, curve=curve, label=label)) for label in CURVES]
    if (peer := result.peer) is not None:
        panels.append((1.0 + 0.3 * len(peer.peer.stages), partial(_peer, found=peer)))
    if (speeds := result.speeds) is not None and speeds.rows:
        panels.append((3.8, lambda axes: _speeds(axes, speeds)))
    heights = [height for height, _ in panels] or [1.0]
    figure, every = pyplot().subplots(
        len(heights), 1, figsize=(9, sum(heights)), height_ratios=heights, layout="constrained", squeeze=False
    )
    figure.suptitle(result.machine["processor"], fontsize=10)
    for (_, panel), axes in zip(panels, every[:, 0], strict=False):
        panel(axes)
        axes.spines[["top", "right"]].set_visible(False)
    save(figure, path)


def _budgets(axes: Any, result: BenchResult) -> None:
    """Draw the share of each budget that is used up; bars are cut at twice the budget."""
    rows = [row for row in reversed(result.rows) if row.budget is not None]
    for height, row in enumerate(rows):
        label = "not measured"
        if row.value is not None and row.budget is not None:
            axes.barh(height, max(min(row.budget.used(row.value), MAX_BUDGET_SHARE), 0.0), color=BARS[row.state])
            label = f"{number(row.value)} {row.unit}, budget {row.budget}"
        axes.text(MAX_BUDGET_SHARE + 0.05, height, label, va="center", fontsize=8)
    axes.axvline(1.0, color="black", linewidth=1)
    axes.set_yticks(range(len(rows)), [row.name for row in rows], fontsize=8)
    axes.set(xlim=(0, MAX_BUDGET_SHARE + 0.9), xlabel="share of the budget")
    axes.set_xticks([0, 0.5, 1, 1.5, 2], ["0", "50 %", "100 %", "150 %", "200 %"])


def _capacity(axes: Any, capacity: Capacity) -> None:
    """Draw the age of scores over the size of a call; a call without an age, or refused, is a cross at the top."""
    steps = sorted(capacity.steps, key=lambda step: step.participants)
    aged = [step for step in steps if step.age_p95 is not None]
    limit = BUDGETS[AGE][1].limit
    top = 1.15 * max([limit, *(step.age_p95 or 0.0 for step in aged)])
    axes.plot([s.participants for s in aged], [s.age_p95 for s in aged], color=GREY, linewidth=1, zorder=1)
    for step in steps:
        at = top if step.age_p95 is None else step.age_p95
        colour, marker = (GOOD, "o") if step.held else (BAD, "X")
        axes.scatter(step.participants, at, color=colour, marker=marker, zorder=2)
    axes.axhline(limit, color="black", linewidth=1)
    where = f"{capacity.cores} of {capacity.machine} cores"
    axes.set(
        xlabel=f"live 720p30 participants on {where}: {capacity.largest_call} hold",
        ylabel="score age p95, s",
        ylim=(0, 1.05 * top),
        xlim=(0, 1 + max((step.participants for step in steps), default=1)),
    )


def _growth(axes: Any, growth: Growth) -> None:
    """Draw the age of scores over the size of a call, a line for one process and one for several."""
    limit = BUDGETS[AGE][1].limit
    for style, (count, found) in zip(STYLES, ((1, growth.one), (growth.processes, growth.several)), strict=False):
        steps = sorted((s for s in found.steps if s.age_p95 is not None), key=lambda step: step.participants)
        ages = [step.age_p95 for step in steps]
        label = f"{count} judging: {found.largest_call} hold"
        axes.plot([step.participants for step in steps], ages, style, marker=".", label=label)
    axes.axhline(limit, color="black", linewidth=1)
    axes.set(xlabel="live 720p30 participants", ylabel="score age p95, s", xlim=(0, None), ylim=(0, None))
    axes.legend(fontsize=8)


def _curve(axes: Any, curve: Curve, label: str) -> None:
    """Draw one quantity over the size of a call, and the budget of ages; calls that did not hold are crosses."""
    figure = CURVES[label]
    known = [(p.participants, getattr(p, figure), p.held) for p in curve.points if getattr(p, figure) is not None]
    axes.plot([size for size, *_ in known], [value for _, value, _ in known], color=GREY, linewidth=1, zorder=1)
    for size, value, held in known:
        axes.scatter(size, value, color=GOOD if held else BAD, marker="o" if held else "X", zorder=2)
    if figure == "age_p95":
        axes.axhline(BUDGETS[AGE][1].limit, color="black", linewidth=1)
    where = f"live 720p30 participants, {curve.processes} judging on {curve.cores} cores"
    top = 1.1 * max((value for _, value, _ in known), default=1.0)
    axes.set(xlabel=where, ylabel=label, ylim=(0, top), xlim=(0, 1 + curve.points[-1].participants))


def _speeds(axes: Any, speeds: EngineSpeeds) -> None:
    """Draw how many times more rows a second a batch gives than single calls, a line for each encoder and engine."""
    engines = list(dict.fromkeys(row.engine for row in speeds.rows))
    packs = list(dict.fromkeys(row.pack for row in speeds.rows))
    for pack, engine in dict.fromkeys((row.pack, row.engine) for row in speeds.rows):
        points = [row for row in speeds.rows if (row.pack, row.engine) == (pack, engine)]
        axes.plot(
            [row.batch for row in points],
            [row.gain for row in points],
            STYLES[engines.index(engine) % len(STYLES)],
            color=f"C{packs.index(pack) % 10}",
            marker=".",
            label=f"{pack}, {engine}",
        )
    axes.axhline(1.0, color="black", linewidth=1)
    axes.set_xscale("log", base=2)
    batches = sorted({row.batch for row in speeds.rows})
    axes.set_xticks(batches, [str(batch) for batch in batches])
    axes.set(xlabel="batch", ylabel="rows a second, times batch 1", ylim=(0, None))
    axes.legend(fontsize=6, ncols=2)


def _peer(axes: Any, found: PeerComparison) -> None:
    """Draw what a second of media costs: SpeechForensics' stages and their sum, and our scans."""
    bars = {stage.name: (stage.per_second, GREY) for stage in found.peer.stages}
    bars[PEER] = (found.peer.per_second, BAD)
    bars |= {name: (scan.cpu_seconds, GOOD) for name, scan in found.scans().items() if scan is not None}
    for height, (seconds, colour) in enumerate(reversed(bars.values())):
        axes.barh(height, seconds, color=colour)
        axes.text(seconds, height, f" {seconds:.3g}", va="center", fontsize=8)
    axes.set_yticks(range(len(bars)), list(reversed(bars)), fontsize=8)
    axes.set_xscale("log")
    axes.set_xlabel("core seconds of a second of media")
