"""Pictures of robustness and of calls: what seven perturbations cost, and how soon forgeries are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from monitor.lab.evaluate.call_replay import CallOutcome
from monitor.lab.evaluate.robustness import KINDS, PAPER, PAPER_CLEAN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVELS = range(6)


def draw_robustness(tasks: Mapping[str, Mapping[str, Any]], folder: Path) -> Path:
    """Write robustness.png: a panel for each perturbation and one for their mean, a line for each task of `describe`.

    Level 0 is clean; dashed lines count what could not be judged as undecided; the dotted line is the paper's own mean
    over levels on FaceForensics++, another task.
    """
    plt = _pyplot()
    figure, grid = plt.subplots(2, 4, figsize=(12, 6), sharex=True, sharey=True, layout="constrained")
    panels = list(grid.flat)
    for axes, kind in zip(panels, KINDS, strict=False):
        for name, task in tasks.items():
            told = task["kinds"][kind]
            _line(axes, name, [task["clean"], *told["levels"]], [task["clean"], *told["strict_levels"]])
        axes.axhline(PAPER[kind], linestyle=":", color="grey", label="SpeechForensics on FF++, mean of levels")
        axes.set_title(kind)
    for name, task in tasks.items():
        means = [task["clean"], *_level_means(task, "levels")], [task["clean"], *_level_means(task, "strict_levels")]
        _line(panels[-1], f"{name} (mean {_percent(task['mean'])})", *means)
    panels[-1].axhline(float(np.mean(list(PAPER.values()))), linestyle=":", color="grey")
    panels[-1].plot([0], [PAPER_CLEAN], "x", color="grey")
    panels[-1].set_title("all seven")
    if tasks:
        panels[-1].legend(fontsize=7)
    panels[0].legend(fontsize=7)
    figure.supxlabel("level (0: clean)")
    figure.supylabel("area under the ROC curve")
    figure.suptitle("Robustness to the perturbations of DeeperForensics-1.0")
    path = folder / "robustness.png"
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path


def draw_live(outcomes: Sequence[CallOutcome], folder: Path) -> Path:
    """Write live.png: the share of calls with a finding by the time since the first picture or sound."""
    plt = _pyplot()
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    calls = [outcome for outcome in outcomes if outcome.seconds]
    forged = [outcome for outcome in calls if outcome.label == "fake"]
    sets = {"forged, all": forged}
    sets |= {method: [o for o in forged if o.method == method] for method in sorted({o.method for o in forged})}
    if len(sets) == 2:
        del sets["forged, all"]
    _steps(axes, "genuine (false alerts)", [o for o in calls if o.label == "real"], color="black", linestyle="--")
    for name, members in sets.items():
        _steps(axes, name, members, linewidth=2.5 if name == "forged, all" else 1.0)
    axes.set(xlabel="seconds of the call", ylabel="share of calls with a finding", ylim=(-0.02, 1.02))
    axes.set_title("Time to alert")
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7, loc="upper left")
    path = folder / "live.png"
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path


def _pyplot() -> Any:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    return pyplot


def _line(axes: Axes, name: str, judged: Sequence[float | None], strict: Sequence[float | None]) -> None:
    (line,) = axes.plot(LEVELS, np.array(judged, np.float64), marker="o", markersize=3, label=name)
    axes.plot(LEVELS, np.array(strict, np.float64), "--", color=line.get_color(), linewidth=1)
    axes.grid(alpha=0.3)


def _level_means(task: Mapping[str, Any], which: str) -> list[float | None]:
    """Mean over the kinds at each level, of those that could be measured."""
    columns = zip(*(task["kinds"][kind][which] for kind in KINDS), strict=True)
    found = [[value for value in column if value is not None] for column in columns]
    return [sum(values) / len(values) if values else None for values in found]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _steps(axes: Axes, name: str, calls: Sequence[CallOutcome], **style: Any) -> None:
    """Draw a cumulative share; a call that ends without a finding counts to the end."""
    if not calls:
        return
    times = sorted(at for outcome in calls if (at := outcome.first_alert) is not None)
    shares = np.arange(len(times) + 1) / len(calls)
    end = max(outcome.seconds for outcome in calls)
    label = f"{name}: {len(times)} of {len(calls)}"
    axes.step([0.0, *times, end], [*shares, shares[-1]], where="post", label=label, **style)
