"""What every recipe of two towers does alike: how steps shrink, how weights are followed, which sources run late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn


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
def follow(mean: nn.Module, latest: nn.Module, most: float, step: int) -> None:
    """Let `mean` follow the latest weights slowly, faster in the first steps: the mean is measured and shipped."""
    keep = min(most, step / (step + 10))
    for slow, fast in zip(mean.state_dict().values(), latest.state_dict().values(), strict=True):
        if slow.dtype.is_floating_point:
            slow.lerp_(fast, 1 - keep)
        else:
            slow.copy_(fast)


def subject_offsets(found: Mapping[str, Sequence[tuple[int, int]]], least: int = 50, limit: int = 8) -> dict[str, int]:
    """By how many steps each subject's voice runs late: the median of its clips' (best offset, usable steps).

    Subjects with fewer than `least` usable steps, and offsets beyond `limit`, are left at 0: that is no muxing error.
    """
    result = {}
    for subject, pairs in found.items():
        if sum(size for _, size in pairs) >= least:
            median = int(np.median(np.repeat(*np.array(pairs).T)))
            if 0 < abs(median) <= limit:
                result[subject] = median
    return result
