"""Results as plots: ROC and DET curves, AUC by method, scores by subject, robustness, and times to alert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill, shorten
from typing import TYPE_CHECKING, Any

import numpy as np

from engines.metrics import Floats, auc, curve
from monitor.lab.evaluate.call_replay import CallOutcome
from monitor.lab.evaluate.robustness import KINDS, PAPER_AUC, PAPER_CLEAN_AUC
from monitor.lab.metrics.summary import Result
from monitor.lab.plotting import normal_deviates, pyplot, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Sets = Mapping[str, Sequence[Result]]

# Error rates that the axes of a DET plot are labelled with, and the normal deviates at their ends.
_TICK_RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
_AXIS_DEVIATES = (-2.6, 1.1)
# A curve over fewer forgeries says little: such a method is in the dot plot only.
MIN_CURVE_CLIPS = 5
COLUMNS = 4
MAX_SUBJECTS = 60
LEVELS_WITH_CLEAN = range(6)
_LABEL_NAMES = {"real": "genuine", "fake": "forged"}


def draw(sets: Sets, folder: Path) -> list[Path]:
    """Write roc.png and det.png: a panel for all forgeries and one for each method, with a line for each named set.

    Every method meets all genuine clips; methods with under `MIN_CURVE_CLIPS` scored forgeries get no panel.
    """
    panels = {"all forgeries": sets, **{m: _only_method(sets, m) for m in _methods(sets)}}
    return [_curves(panels, kind, folder / f"{kind}.png") for kind in ("roc", "det")]


def draw_mismatch(sets: Mapping[str, Sets], folder: Path) -> list[Path]:
    """Write mismatch-roc.png and mismatch-det.png: a panel for each window length, a line for each kind of mismatch."""
    return [_curves(sets, kind, folder / f"mismatch-{kind}.png") for kind in ("roc", "det")]


def draw_methods(summaries: Mapping[str, Mapping[str, Any]], folder: Path) -> Path:
    """Write methods.png: the area of each method with its 95 % interval, best above, for each detector's summary."""
    rows = {
        (detector, method): row
        for detector, summary in summaries.items()
        for method, row in {"all forgeries": summary, **summary["methods"]}.items()
        if row["auc"] is not None
    }
    labels = sorted({method for _, method in rows}, key=lambda m: max(r["auc"] for (_, n), r in rows.items() if n == m))
    figure, axes = _figure(1, 1, size=(7.5, 1.6 + 0.34 * max(len(labels), 1)))
    for count, detector in enumerate(summaries):
        heights = [(labels.index(m) - 0.15 * count, row) for (name, m), row in rows.items() if name == detector]
        for height, row in heights:
            _plot_auc(axes[0], height, row, f"C{count}")
        axes[0].plot([], [], "o", color=f"C{count}", label=detector)
    counts = {m: max(r["fake"] for (_, n), r in rows.items() if n == m) for m in labels}
    axes[0].set_yticks(range(len(labels)), [fill(f"{m} (n {counts[m]})", 42) for m in labels], fontsize=8)
    axes[0].axvline(0.5, linestyle=":", color="grey", linewidth=1)
    axes[0].set(xlim=(0, 1.02), xlabel="AUC, 95 % interval", title=f"by method (hollow: n under {MIN_CURVE_CLIPS})")
    axes[0].grid(alpha=0.3, axis="x")
    return _save_with_legends(figure, axes, folder / "methods.png")


def _plot_auc(axes: Axes, height: float, row: Mapping[str, Any], colour: str) -> None:
    low, high = (row["auc"] if row[key] is None else row[key] for key in ("auc_low", "auc_high"))
    axes.plot([low, high], [height, height], color=colour)
    hollow = row["fake"] < MIN_CURVE_CLIPS
    axes.plot([row["auc"]], [height], "o", color=colour, markerfacecolor="white" if hollow else colour)


def draw_subjects(sets: Sets, folder: Path) -> Path:
    """Write subjects.png: every scored clip by subject, genuine and forged, subjects with the most clips only."""
    figure, axes = _figure(max(len(sets), 1), 1, size=(11, 5 * max(len(sets), 1)))
    for panel, (name, results) in zip(axes, sets.items(), strict=False):
        scored: dict[str, list[Result]] = {}
        for result in results:
            if result.score is not None:
                scored.setdefault(result.subject, []).append(result)
        shown = sorted(scored, key=lambda s: -len(scored[s]))[:MAX_SUBJECTS]
        shown.sort(key=lambda s: float(np.median([r.score or 0.0 for r in scored[s]])))
        for label, colour in (("real", "tab:blue"), ("fake", "tab:red")):
            dots = [(x, r.score or 0.0) for x, s in enumerate(shown) for r in scored[s] if r.label == label]
            xs, scores = [x for x, _ in dots], [score for _, score in dots]
            panel.scatter(xs, scores, s=12, alpha=0.6, color=colour, label=_LABEL_NAMES[label])
        names = [shorten(s, 24, placeholder="...") if " " in s else s[:24] for s in shown]
        panel.set_xticks(range(len(shown)), names, rotation=90, fontsize=7)
        title = f"{name}: {len(shown)} of {len(scored)} subjects, those with most clips; higher is more suspicious"
        panel.set(ylabel="score", title=title)
        panel.grid(alpha=0.3)
    return _save_with_legends(figure, axes, folder / "subjects.png")


def draw_robustness(tasks: Mapping[str, Mapping[str, Any]], folder: Path) -> Path:
    """Write robustness.png: a panel for each perturbation and one for their mean, a line for each task of `describe`.

    Level 0 is clean; dashed lines count what could not be judged as undecided; the dotted line is the mean
    over levels that the paper reports on FaceForensics++, another task.
    """
    figure, grid = pyplot().subplots(2, 4, figsize=(12, 6), sharex=True, sharey=True, layout="constrained")
    panels = list(grid.flat)
    for axes, kind in zip(panels, KINDS, strict=False):
        for name, task in tasks.items():
            values = task["kinds"][kind]
            _plot_levels(axes, name, [task["clean"], *values["levels"]], [task["clean"], *values["strict_levels"]])
        axes.axhline(PAPER_AUC[kind], linestyle=":", color="grey", label="SpeechForensics on FF++, mean of levels")
        axes.set_title(kind)
    for name, task in tasks.items():
        means = [task["clean"], *_level_means(task, "levels")], [task["clean"], *_level_means(task, "strict_levels")]
        _plot_levels(panels[-1], f"{name} (mean {_percent(task['mean'])})", *means)
    panels[-1].axhline(float(np.mean(list(PAPER_AUC.values()))), linestyle=":", color="grey")
    panels[-1].plot([0], [PAPER_CLEAN_AUC], "x", color="grey")
    panels[-1].set_title("all seven")
    if tasks:
        panels[-1].legend(fontsize=7)
    panels[0].legend(fontsize=7)
    figure.supxlabel("level (0: clean)")
    figure.supylabel("area under the ROC curve")
    figure.suptitle("Robustness to the perturbations of DeeperForensics-1.0")
    return save(figure, folder / "robustness.png")


def draw_live(outcomes: Sequence[CallOutcome], folder: Path) -> Path:
    """Write live.png: the share of calls with a finding by the time since the first picture or sound."""
    figure, axes = pyplot().subplots(figsize=(7, 4.5), layout="constrained")
    calls = [outcome for outcome in outcomes if outcome.seconds]
    forged = [outcome for outcome in calls if outcome.label == "fake"]
    sets = {"forged, all": forged}
    sets |= {method: [o for o in forged if o.method == method] for method in sorted({o.method for o in forged})}
    if len(sets) == 2:
        del sets["forged, all"]
    _plot_alerted_share(
        axes, "genuine (false alerts)", [o for o in calls if o.label == "real"], color="black", linestyle="--"
    )
    for name, members in sets.items():
        _plot_alerted_share(axes, name, members, linewidth=2.5 if name == "forged, all" else 1.0)
    axes.set(xlabel="seconds of the call", ylabel="share of calls with a finding", ylim=(-0.02, 1.02))
    axes.set_title("Time to alert")
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7, loc="upper left")
    return save(figure, folder / "live.png")


def _methods(sets: Sets) -> list[str]:
    counts: dict[str, int] = {}
    for results in sets.values():
        for method in {r.method for r in results if r.label == "fake"}:
            count = sum(r.method == method and r.label == "fake" and r.score is not None for r in results)
            counts[method] = max(counts.get(method, 0), count)
    large_enough = sorted(method for method, count in counts.items() if count >= MIN_CURVE_CLIPS)
    return large_enough if len(counts) > 1 else []


def _only_method(sets: Sets, method: str) -> Sets:
    return {name: [r for r in results if r.label == "real" or r.method == method] for name, results in sets.items()}


def _curves(panels: Mapping[str, Sets], kind: str, path: Path) -> Path:
    columns = min(len(panels), COLUMNS) or 1
    rows = -(-len(panels) // columns) or 1
    width = 5.5 if len(panels) == 1 else 3.6
    figure, axes = _figure(rows, columns, size=(width * columns, (width - 0.3) * rows))
    for panel, (title, sets) in zip(axes, panels.items(), strict=False):
        for name, results in sets.items():
            _curve(panel, kind, name, results)
        _label_axes(panel, kind, title)
    for unused in axes[len(panels) :]:
        unused.set_visible(False)
    figure.suptitle("ROC, with area under the curve" if kind == "roc" else "DET")
    return _save_with_legends(figure, axes, path)


def _curve(axes: Axes, kind: str, name: str, results: Sequence[Result]) -> None:
    fake, real = _scores(results, "fake"), _scores(results, "real")
    if len(fake) and len(real):
        bpcer, apcer = curve(fake, real)
        label = f"{name}: {auc(fake, real):.3f} (n {len(fake)}+{len(real)})"
        xs, ys = (bpcer, 1 - apcer) if kind == "roc" else (normal_deviates(bpcer), normal_deviates(apcer))
        axes.plot(xs, ys, label=label)


def _label_axes(axes: Axes, kind: str, title: str) -> None:
    if kind == "roc":
        axes.plot([0, 1], [0, 1], ":", color="grey", linewidth=1)
        axes.set(xlabel="false alarms (BPCER)", ylabel="forgeries found (1 - APCER)")
    else:
        ticks = normal_deviates(np.array(_TICK_RATES))
        axes.set_xticks(ticks, [f"{p:g}" for p in _TICK_RATES], fontsize=7)
        axes.set_yticks(ticks, [f"{p:g}" for p in _TICK_RATES], fontsize=7)
        axes.set(
            xlabel="false alarms (BPCER)", ylabel="forgeries missed (APCER)", xlim=_AXIS_DEVIATES, ylim=_AXIS_DEVIATES
        )
    axes.set_title(fill(title, 34), fontsize=9)
    axes.grid(alpha=0.3)


def _figure(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    figure, grid = pyplot().subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    return figure, list(grid.flat)


def _save_with_legends(figure: Figure, panels: Sequence[Axes], path: Path) -> Path:
    for panel in panels:
        if panel.get_legend_handles_labels()[0]:
            panel.legend(fontsize=7)
    return save(figure, path)


def _scores(results: Sequence[Result], label: str) -> Floats:
    return np.array([r.score for r in results if r.label == label and r.score is not None], np.float64)


def _plot_levels(axes: Axes, name: str, judged: Sequence[float | None], strict: Sequence[float | None]) -> None:
    (line,) = axes.plot(LEVELS_WITH_CLEAN, np.array(judged, np.float64), marker="o", markersize=3, label=name)
    axes.plot(LEVELS_WITH_CLEAN, np.array(strict, np.float64), "--", color=line.get_color(), linewidth=1)
    axes.grid(alpha=0.3)


def _level_means(task: Mapping[str, Any], which: str) -> list[float | None]:
    """Mean over the kinds at each level, of those that could be measured."""
    columns = zip(*(task["kinds"][kind][which] for kind in KINDS), strict=True)
    by_level = [[value for value in column if value is not None] for column in columns]
    return [sum(values) / len(values) if values else None for values in by_level]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _plot_alerted_share(axes: Axes, name: str, calls: Sequence[CallOutcome], **style: Any) -> None:
    """Draw a cumulative share; a call that ends without a finding counts to the end."""
    if not calls:
        return
    times = sorted(seconds for outcome in calls if (seconds := outcome.first_alert) is not None)
    shares = np.arange(len(times) + 1) / len(calls)
    end = max(outcome.seconds for outcome in calls)
    label = f"{name}: {len(times)} of {len(calls)}"
    axes.step([0.0, *times, end], [*shares, shares[-1]], where="post", label=label, **style)
