"""Plots of how well people are recognised by how they move: by length of speech, by person, forged beside genuine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from monitor.lab.plotting import pyplot, save
from monitor.lab.studies.persona.scores import BOTH, DISTANCE, PLAIN

PLOTTED_SCORES = (DISTANCE, "companion", BOTH, PLAIN)


def draw_lengths(groups: Mapping[str, Any], folder: Path) -> Path:
    """Write lengths.png: mean area over people by seconds of speech, a panel for each group, with intervals."""
    figure, grid = pyplot().subplots(1, len(groups), figsize=(5 * len(groups), 4), sharey=True, layout="constrained")
    for axes, (group, lengths) in zip(np.atleast_1d(grid), groups.items(), strict=True):
        for number, score in enumerate(PLOTTED_SCORES):
            rows = [scores[score] for scores in lengths.values()]
            xs = np.arange(len(rows)) + 0.06 * (number - 1.5)
            aucs = np.array([_float(row["auc"]) for row in rows])
            intervals = np.array([[_float(row["auc_low"]), _float(row["auc_high"])] for row in rows]).reshape(-1, 2)
            axes.errorbar(xs, aucs, np.abs(intervals.T - aucs), fmt="o-", capsize=3, label=score, markersize=4)
        labels = [f"{length}\n{scores[DISTANCE]['people']} people" for length, scores in lengths.items()]
        axes.set_xticks(range(len(labels)), labels)
        axes.axhline(0.5, linestyle=":", color="grey")
        axes.set_title(group)
    axes = np.atleast_1d(grid)[0]
    axes.set_ylabel("area under the ROC curve, mean over people")
    axes.legend(fontsize=7)
    figure.suptitle("The enrolled person against others with their own voice and movement")
    return save(figure, folder / "lengths.png")


def draw_people(areas: Mapping[str, Mapping[str, float | None]], folder: Path) -> Path:
    """Write people.png: each person's area, personalised beside without tokens."""
    names = sorted(areas, key=lambda name: _float(areas[name].get(DISTANCE)))
    figure, axes = pyplot().subplots(figsize=(7, 1 + 0.25 * len(names)), layout="constrained")
    for score, mark in zip(PLOTTED_SCORES, "osD|", strict=True):
        axes.plot([_float(areas[name].get(score)) for name in names], range(len(names)), mark, label=score, alpha=0.8)
    # People are numbered, not named.
    axes.set_yticks(range(len(names)), [f"person {n + 1}" for n in range(len(names))], fontsize=7)
    axes.axvline(0.5, linestyle=":", color="grey")
    axes.set(xlabel="area under the ROC curve", xlim=(0, 1.02))
    axes.legend(fontsize=7)
    return save(figure, folder / "people.png")


def draw_forged(summary: Mapping[str, Any], scores: Sequence[str], folder: Path) -> Path:
    """Write forged.png: the share of forged clips farther from the person than the genuine one, by method."""
    figure, axes = pyplot().subplots(figsize=(2 + 1.4 * len(summary), 4), layout="constrained")
    bar_width = 0.8 / len(scores)
    for number, score in enumerate(scores):
        rows = [scores[score] for scores in summary.values()]
        shares = np.array([_float(row["wins"]) for row in rows])
        intervals = np.array([[row["wins_low"], row["wins_high"]] for row in rows], np.float64).reshape(-1, 2)
        xs = np.arange(len(rows)) + bar_width * (number - (len(scores) - 1) / 2)
        axes.bar(xs, shares, bar_width, yerr=np.abs(intervals.T - shares), label=score, error_kw={"lw": 0.8})
    labels = [
        f"{method}\n{scores[DISTANCE]['forged_clips']} of {scores[DISTANCE]['people']}"
        for method, scores in summary.items()
    ]
    axes.set_xticks(range(len(labels)), labels, fontsize=7)
    axes.axhline(0.5, linestyle=":", color="grey")
    axes.set(ylabel="forged farther than genuine", ylim=(0, 1.05))
    axes.legend(fontsize=6, ncols=2)
    return save(figure, folder / "forged.png")


def _float(value: float | None) -> float:
    return float("nan") if value is None else value
