"""The recipe of the speech towers, what it shares with that of projection heads, and a run of it in progress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from engines.nets.speech import Lips, Voice
from engines.training.masked import UNITS, Context


@dataclass(frozen=True, slots=True)
class TwoTowerRecipe:
    """What shapes any run that brings lips and voice into one space.

    A batch has `batch` pieces of `length` steps at 25 Hz, whose sound starts up to `slack` steps before or after the
    picture. `clip_weight` and `frame_weight` are those of two losses beside the one over moments (`agreement`); the
    former searches offsets of up to `reach` steps. After the share `align_at` of the run it takes out by how much each
    clip's sound runs late. `average` is how slowly the mean of the weights follows, `windows` are the lengths in
    seconds that are measured, `weights` the shares of the groups of clips in a batch.
    """

    minutes: float = 10.0
    batch: int = 48
    length: int = 30
    slack: int = 6
    rate: float = 1.5e-3
    decay: float = 0.05
    clip_weight: float = 0.5
    frame_weight: float = 0.3
    reach: int = 10
    align_at: float = 0.3
    average: float = 0.995
    windows: tuple[float, ...] = (2.0, 5.0)
    seed: int = 0
    max_steps: int = 10**9
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SpeechRecipe(TwoTowerRecipe):
    """Everything that shapes a run of the towers.

    `masked_weight` is that of masked prediction; 0 leaves it out, as it has not helped yet (decision 13). A share
    `twins` of each batch are second pieces of people who are in it. With a
    `patience` the run stops after so many measurements without a gain on held-out speakers and gives the best towers
    measured; 0 runs to the end. It measures every `measure_every` seconds. `device` is a torch device, `auto` the GPU
    where there is one.
    """

    minutes: float = 45.0
    masked_weight: float = 0.0
    batch: int = 36
    length: int = 40
    slack: int = 8
    reach: int = 12
    units: int = UNITS
    twins: float = 0.3
    measure_every: float = 300.0
    patience: int = 0
    device: str = "auto"


@dataclass(slots=True, eq=False)
class SpeechRun:
    """A run of the towers in progress. `best` holds the mean towers of the best measurement, for a run with patience.

    `spent` are seconds of training, `offsets` how many steps the sound of a source runs late.
    """

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
