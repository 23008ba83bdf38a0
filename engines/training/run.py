"""What shapes a training run, and a run in progress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from engines.nets.speech import Lips, Voice
from engines.training.masked import UNITS, Context


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that shapes a run. `weights` are the shares of the groups of clips in a batch.

    `masked_weight` is that of masked prediction; 0 leaves it out, as it has not helped yet (decision 13). With a
    `patience` the run stops after so many measurements without a gain on held-out speakers and gives the best towers
    measured; 0 runs to the end. `device` is a torch device, `auto` the GPU where there is one.
    """

    minutes: float = 45.0
    batch: int = 48
    length: int = 30
    slack: int = 6
    rate: float = 1.5e-3
    decay: float = 0.05
    clip_weight: float = 0.5
    frame_weight: float = 0.3
    masked_weight: float = 0.0
    units: int = UNITS
    reach: int = 10
    align_at: float = 0.3
    average: float = 0.995
    measure_every: float = 300.0
    patience: int = 0
    windows: tuple[float, ...] = (2.0, 5.0)
    seed: int = 0
    max_steps: int = 10**9
    device: str = "auto"
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Run:
    """A training run in progress. `best` holds the mean towers of the best measurement, for a run with patience."""

    lips: Lips
    voice: Voice
    context: Context
    temperature: torch.nn.Parameter
    mean_lips: Lips
    mean_voice: Voice
    optimiser: torch.optim.Optimizer
    device: torch.device
    step: int = 0
    spent: float = 0.0
    aligned: bool = False
    offsets: dict[str, int] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    best: tuple[dict[str, Tensor], dict[str, Tensor]] | None = None
