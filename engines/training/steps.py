"""What every recipe of two towers does alike: how steps shrink, how weights are followed, which clips run late."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engines.training.agreement import best_agreement

# Offsets that are searched where windows are measured, and where clips are aligned: uploads are known whose sound is
# 600 ms late all through. Steps of 25 Hz, either way.
SEARCHED_STEPS, ALIGNED_STEPS = 15, 18
# Usable steps without which a clip's offset says nothing.
USABLE_STEPS = 75


class Spoken(Protocol):
    """What a measurement must know of a clip besides its vectors."""

    @property
    def name(self) -> str:
        """Which clip it is."""
        ...

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


def clip_offsets(encoded: Iterable[tuple[Spoken, Tensor, Tensor]]) -> dict[str, int]:
    """By how many steps the voice of each clip runs late: where it agrees best, if it has enough speech.

    Clips come with their vectors of lips and voice, (T, D) each. Of a shorter clip it is the median over the longer
    ones of the same person, as recordings of one source share their delay. Best offsets at the end of the search are
    no delay that was found, and are left at 0, as those are of whom nothing long enough was heard.
    """
    found: dict[str, int] = {}
    short: list[Spoken] = []
    by_subject: dict[str, list[int]] = {}
    for clip, lips, voice in encoded:
        if int(clip.good.sum()) < USABLE_STEPS:
            short.append(clip)
            continue
        offset = int(best_agreement(lips[None], voice[None], torch.from_numpy(clip.good)[None], ALIGNED_STEPS + 1)[1])
        if abs(offset) <= ALIGNED_STEPS:
            found[clip.name] = offset
            by_subject.setdefault(clip.subject, []).append(offset)
    for clip in short:
        if clip.subject in by_subject:
            found[clip.name] = int(np.median(by_subject[clip.subject]))
    return {name: offset for name, offset in found.items() if offset}
