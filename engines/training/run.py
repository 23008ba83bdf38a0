"""What training runs of any recipe share: their state, how far they are, and what they report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import nn

Net = TypeVar("Net", bound=nn.Module)
# Takes {"step", "done", "loss"} now and then, and the row of a measurement.
Report = Callable[[dict[str, Any]], None]


@dataclass(slots=True, eq=False)
class NetRun(Generic[Net]):
    """A run in progress: the latest weights, and their running mean, which is what is measured and shipped.

    `spent` are seconds of training, `history` the rows of its measurements.
    """

    net: Net
    mean: Net
    optimiser: torch.optim.Optimizer
    step: int = 0
    spent: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


class Progress(Protocol):
    """How far a run is."""

    step: int
    spent: float


class Budget(Protocol):
    """How far a recipe goes, whichever comes first."""

    @property
    def minutes(self) -> float:
        """Minutes of training, measurements not counted."""
        ...

    @property
    def max_steps(self) -> int:
        """Steps of the optimiser."""
        ...


def unfinished(run: Progress, recipe: Budget) -> bool:
    """Whether neither the minutes nor the steps of the recipe are used up."""
    return run.spent < recipe.minutes * 60 and run.step < recipe.max_steps


def done_share(run: Progress, recipe: Budget) -> float:
    """How much of an unfinished run is done, 0..1."""
    return min(1.0, max(run.spent / (recipe.minutes * 60), run.step / recipe.max_steps))


def append_log(path: Path, row: Mapping[str, Any]) -> None:
    """Add the row of a measurement to a log of JSON lines."""
    with path.open("a") as log:
        log.write(json.dumps(row) + "\n")
