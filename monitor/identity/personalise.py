"""Personalising: the persona model stays as it is, only the adapter tokens are fitted to a person's own recordings.

No torch is needed: the pack `persona_tokens` gives the loss of a window and its gradient with respect to the tokens,
and Adam is a few lines. The recordings are cut in two halves and tokens fitted to each, so that every window also has
a distance to a person model that has not seen it; how many steps are enough is seen on the part that each half keeps
back, and the tokens that are kept are then fitted to everything for as long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engines.base import Engine
from monitor.detectors.reconstruction import Moving, Plan, Tokens
from monitor.types import FloatArray

Progress = Callable[[float], None]


class PersonaliseError(Exception):
    """A person's recordings are not enough to be personalised on; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class PersonaliseConfig:
    """How tokens are fitted: at most `steps` of Adam at `rate` on `batch` windows, each at a timestep of the plan.

    Every `check` steps the windows kept back are measured; after `patience` checks without a gain it stops.
    """

    steps: int = 200
    batch: int = 16
    rate: float = 0.03
    check: int = 10
    patience: int = 3
    kept_back: float = 0.25
    least_windows: int = 8
    workers: int = 2
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Personalised:
    """A person's tokens (P, d), and what became of them.

    `steps` of Adam; `losses` (checks,) on the windows fitted to and `held_out_losses` on those kept back, the mean of
    both halves; `halves` (2, P, d) are the tokens fitted without the windows that `half` (W,) counts to that half: the
    distances of windows w are taken with `halves[half[w]]`.
    """

    tokens: FloatArray
    steps: int
    losses: tuple[float, ...]
    held_out_losses: tuple[float, ...]
    halves: FloatArray
    half: FloatArray


def personalise(
    fit: Engine, windows: Sequence[Moving], start: FloatArray, plan: Plan, config: PersonaliseConfig, progress: Progress
) -> Personalised:
    """Fit tokens to windows in the order in which they were recorded, from `start` (P, d), on the engine `fit`.

    `progress` is told the share that is done. Raises `PersonaliseError` for too few windows.
    """
    raise NotImplementedError


def own_distances(
    persona: Engine, windows: Sequence[Moving], person: Personalised, tokens: Tokens, plan: Plan
) -> FloatArray:
    """Distances (W,) of the person's own windows, each to the tokens fitted without its half."""
    raise NotImplementedError
