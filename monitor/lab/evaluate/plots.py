"""Results as pictures: ROC and DET curves by method, areas with their intervals, and scores by subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from textwrap import fill, shorten
from typing import TYPE_CHECKING, Any

import numpy as np

from engines.metrics import Floats, auc, curve
from monitor.lab.metrics.summary import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Sets = Mapping[str, Sequence[Result]]

# Error rates that a DET plot is labelled with.
_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
_LIMITS = (-2.6, 1.1)
# A curve over fewer forgeries says little: such a method is in the dot plot only.
LEAST_CLIPS = 5
COLUMNS = 4
MOST_SUBJECTS = 60


def draw(sets: Sets, folder: Path) -> list[Path]:
    """Write roc.png and det.png: a panel for all forgeries and one for each method, with a line for each named set.

    Every method meets all genuine clips; methods with under `LEAST_CLIPS` scored forgeries get no panel.
    """
    panels = {"all forgeries": sets, **{m: _against(sets, m) for m in _methods(sets)}}
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
        own = [(labels.index(m) - 0.15 * count, row) for (name, m), row in rows.items() if name == detector]
        for at, row in own:
            _dot(axes[0], at, row, f"C{count}")
        axes[0].plot([], [], "o", color=f"C{count}", label=detector)
    counts = {m: max(r["fake"] for (_, n), r in rows.items() if n == m) for m in labels}
    axes[0].set_yticks(range(len(labels)), [fill(f"{m} (n {counts[m]})", 42) for m in labels], fontsize=8)
    axes[0].axvline(0.5, linestyle=":", color="grey", linewidth=1)
    axes[0].set(xlim=(0, 1.02), xlabel="AUC, 95 % interval", title=f"by method (hollow: n under {LEAST_CLIPS})")
    axes[0].grid(alpha=0.3, axis="x")
    return _save(figure, axes, folder / "methods.png")


def _dot(axes: Axes, at: float, row: Mapping[str, Any], colour: str) -> None:
    low, high = (row["auc"] if row[key] is None else row[key] for key in ("auc_low", "auc_high"))
    axes.plot([low, high], [at, at], color=colour)
    hollow = row["fake"] < LEAST_CLIPS
    axes.plot([row["auc"]], [at], "o", color=colour, markerfacecolor="white" if hollow else colour)


def draw_subjects(sets: Sets, folder: Path) -> Path:
    """Write subjects.png: every scored clip by subject, genuine and forged, subjects with the most clips only."""
    figure, axes = _figure(max(len(sets), 1), 1, size=(11, 5 * max(len(sets), 1)))
    for panel, (name, results) in zip(axes, sets.items(), strict=False):
        scored: dict[str, list[Result]] = {}
        for result in results:
            if result.score is not None:
                scored.setdefault(result.subject, []).append(result)
        shown = sorted(scored, key=lambda s: -len(scored[s]))[:MOST_SUBJECTS]
        shown.sort(key=lambda s: float(np.median([r.score or 0.0 for r in scored[s]])))
        for label, colour in (("real", "tab:blue"), ("fake", "tab:red")):
            own = [(at, r.score or 0.0) for at, s in enumerate(shown) for r in scored[s] if r.label == label]
            across, up = [at for at, _ in own], [score for _, score in own]
            panel.scatter(across, up, s=12, alpha=0.6, color=colour, label=_WORDS[label])
        names = [shorten(s, 24, placeholder="...") if " " in s else s[:24] for s in shown]
        panel.set_xticks(range(len(shown)), names, rotation=90, fontsize=7)
        title = f"{name}: {len(shown)} of {len(scored)} subjects, those with most clips; higher is more suspicious"
        panel.set(ylabel="score", title=title)
        panel.grid(alpha=0.3)
    return _save(figure, axes, folder / "subjects.png")


_WORDS = {"real": "genuine", "fake": "forged"}


def _methods(sets: Sets) -> list[str]:
    counts: dict[str, int] = {}
    for results in sets.values():
        for method in {r.method for r in results if r.label == "fake"}:
            number = sum(r.method == method and r.label == "fake" and r.score is not None for r in results)
            counts[method] = max(counts.get(method, 0), number)
    many = sorted(method for method, number in counts.items() if number >= LEAST_CLIPS)
    return many if len(counts) > 1 else []


def _against(sets: Sets, method: str) -> Sets:
    return {name: [r for r in found if r.label == "real" or r.method == method] for name, found in sets.items()}


def _curves(panels: Mapping[str, Sets], kind: str, path: Path) -> Path:
    columns = min(len(panels), COLUMNS) or 1
    rows = -(-len(panels) // columns) or 1
    width = 5.5 if len(panels) == 1 else 3.6
    figure, axes = _figure(rows, columns, size=(width * columns, (width - 0.3) * rows))
    for panel, (title, sets) in zip(axes, panels.items(), strict=False):
        for name, results in sets.items():
            _curve(panel, kind, name, results)
        _dress(panel, kind, title)
    for unused in axes[len(panels) :]:
        unused.set_visible(False)
    figure.suptitle("ROC, with area under the curve" if kind == "roc" else "DET")
    return _save(figure, axes, path)


def _curve(axes: Axes, kind: str, name: str, results: Sequence[Result]) -> None:
    fake, real = _scores(results, "fake"), _scores(results, "real")
    if len(fake) and len(real):
        alarms, misses = curve(fake, real)
        label = f"{name}: {auc(fake, real):.3f} (n {len(fake)}+{len(real)})"
        across, up = (alarms, 1 - misses) if kind == "roc" else (_deviate(alarms), _deviate(misses))
        axes.plot(across, up, label=label)


def _dress(axes: Axes, kind: str, title: str) -> None:
    if kind == "roc":
        axes.plot([0, 1], [0, 1], ":", color="grey", linewidth=1)
        axes.set(xlabel="false alarms (BPCER)", ylabel="forgeries found (1 - APCER)")
    else:
        ticks = _deviate(np.array(_TICKS))
        axes.set_xticks(ticks, [f"{p:g}" for p in _TICKS], fontsize=7)
        axes.set_yticks(ticks, [f"{p:g}" for p in _TICKS], fontsize=7)
        axes.set(xlabel="false alarms (BPCER)", ylabel="forgeries missed (APCER)", xlim=_LIMITS, ylim=_LIMITS)
    axes.set_title(fill(title, 34), fontsize=9)
    axes.grid(alpha=0.3)


def _figure(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, grid = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    return figure, list(grid.flat)


def _save(figure: Figure, axes: Sequence[Axes], path: Path) -> Path:
    from matplotlib import pyplot as plt

    for panel in axes:
        if panel.get_legend_handles_labels()[0]:
            panel.legend(fontsize=7)
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path


def _scores(results: Sequence[Result], label: str) -> Floats:
    return np.array([r.score for r in results if r.label == label and r.score is not None], np.float64)


def _deviate(rates: Floats) -> Floats:
    return np.array([NormalDist().inv_cdf(min(max(float(r), 1e-4), 1 - 1e-4)) for r in rates])
