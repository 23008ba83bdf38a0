"""Results as pictures: ROC and DET curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from engines.training.measures import auc, curve
from monitor.evaluation import Result

# Normal deviates of the error rates that a DET plot is labelled with.
_TICKS = {0.01: -2.326, 0.02: -2.054, 0.05: -1.645, 0.1: -1.282, 0.2: -0.842, 0.4: -0.253}


def draw(sets: Mapping[str, Sequence[Result]], folder: Path) -> list[Path]:
    """Write roc.png and det.png with one line for each named set that has both genuine and forged scores."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    written = []
    for kind in ("roc", "det"):
        figure, axes = plt.subplots(figsize=(5.5, 5), layout="constrained")
        for name, results in sets.items():
            fake = np.array([r.score for r in results if r.label == "fake" and r.score is not None])
            real = np.array([r.score for r in results if r.label == "real" and r.score is not None])
            if len(fake) and len(real):
                alarms, misses = curve(fake, real)
                label = f"{name}: {auc(fake, real):.3f} (n {len(fake)}+{len(real)})"
                if kind == "roc":
                    axes.plot(alarms, 1 - misses, label=label)
                else:
                    axes.plot(_deviate(alarms), _deviate(misses), label=label)
        if kind == "roc":
            axes.plot([0, 1], [0, 1], ":", color="grey", linewidth=1)
            axes.set(xlabel="false alarms (genuine)", ylabel="forgeries found", title="ROC, with area under the curve")
        else:
            axes.set_xticks(list(_TICKS.values()), [f"{p:g}" for p in _TICKS])
            axes.set_yticks(list(_TICKS.values()), [f"{p:g}" for p in _TICKS])
            axes.set(
                xlabel="false alarms (genuine)",
                ylabel="forgeries missed",
                title="DET",
                xlim=(-2.6, 0.6),
                ylim=(-2.6, 0.6),
            )
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8)
        path = folder / f"{kind}.png"
        figure.savefig(path, dpi=120)
        plt.close(figure)
        written.append(path)
    return written


def _deviate(rates: np.typing.NDArray[np.float64]) -> np.typing.NDArray[np.float64]:
    from statistics import NormalDist

    return np.array([NormalDist().inv_cdf(min(max(float(r), 1e-4), 1 - 1e-4)) for r in rates])
