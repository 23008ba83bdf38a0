"""What every recipe of two towers does alike: how steps shrink, how weights are followed, which sources run late."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engines.training.agreement import best_agreement

# Offsets that are searched, and those beyond which it is no muxing error: steps of 25 Hz, either way.
SEARCHED_STEPS, LARGEST_OFFSET_STEPS = 15, 8
# Usable steps without which a source's offset says nothing.
USABLE_STEPS = 50


class Spoken(Protocol):
    """What a measurement must know of a clip besides its vectors."""

    @property
    def subject(self) -> str:
        """Who speaks."""
        ...

    @property
    def good(self) -> NDArray[np.bool_]:
        """Where lips and speech count, (T,)."""
        ...


def optimiser_of(
    learnt: Sequence[nn.Parameter], temperature: nn.Parameter, rate: float, decay: float
) -> torch.optim.AdamW:
    """AdamW over everything learnt; the temperatures do not decay."""
    groups = [{"params": learnt, "weight_decay": decay}, {"params": [temperature], "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate)


def set_rate(optimiser: torch.optim.Optimizer, rate: float, step: int, done: float) -> None:
    """Fifty steps of warming up, then half a cosine down to a fiftieth."""
    for group in optimiser.param_groups:
        group["lr"] = rate * min(1.0, (step + 1) / 50) * (0.5 * (1 + float(np.cos(np.pi * done))) + 0.02)


@torch.no_grad()
def follow(mean: nn.Module, latest: nn.Module, max_keep: float, step: int) -> None:
    """Let `mean` follow the latest weights slowly, faster in the first steps: the mean is measured and shipped."""
    keep = min(max_keep, step / (step + 10))
    for slow, fast in zip(mean.state_dict().values(), latest.state_dict().values(), strict=True):
        if slow.dtype.is_floating_point:
            slow.lerp_(fast, 1 - keep)
        else:
            slow.copy_(fast)


def source_offsets(encoded: Iterable[tuple[Spoken, Tensor, Tensor]]) -> dict[str, int]:
    """By how many steps the voice of each subject's recordings runs late: the median over its clips of the best offset.

    Clips come with their vectors of lips and voice, (T, D) each. Subjects with too few usable steps, and offsets too
    large to be a muxing error, are left at 0.
    """
    by_subject: dict[str, list[tuple[int, int]]] = {}
    for clip, lips, voice in encoded:
        _, offset = best_agreement(lips[None], voice[None], torch.from_numpy(clip.good)[None], SEARCHED_STEPS)
        by_subject.setdefault(clip.subject, []).append((int(offset), int(clip.good.sum())))
    result = {}
    for subject, pairs in by_subject.items():
        if sum(usable for _, usable in pairs) >= USABLE_STEPS:
            median = int(np.median(np.repeat(*np.array(pairs).T)))
            if 0 < abs(median) <= LARGEST_OFFSET_STEPS:
                result[subject] = median
    return result
