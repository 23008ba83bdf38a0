"""How well lips fit a voice, as training sees it: the contrastive losses and the offset-searched agreement that validates them."""

from __future__ import annotations

import torch
from torch import Tensor

MIN_OVERLAP = 10


def frame_loss(lips: Tensor, voice: Tensor, lag: Tensor, good: Tensor, temperature: Tensor) -> Tensor:
    """InfoNCE over frames, both ways (SpeechForensics, section 3.1, frame-wise alignment).

    `lips` and `voice` (B, T, D) are unit vectors, the voice of row b starts `lag[b]` steps after its lips, `good` (B, T) marks lip
    frames with speech. Each lip frame is told from every other voice frame of the batch: of its own clip at other times, and of
    other clips. The frames right beside the true one are left out: 40 ms is within what sources are off by themselves.
    """
    batch, time, size = lips.shape
    logits = lips.reshape(-1, size) @ voice.reshape(-1, size).T / temperature
    at = torch.arange(time, device=lips.device)[None] - lag[:, None]
    counts = good & (at >= 0) & (at < time)
    target = (torch.arange(batch, device=lips.device)[:, None] * time + at.clamp(0, time - 1)).reshape(-1)
    rows = counts.reshape(-1).nonzero()[:, 0]
    target, logits = target[rows], logits[rows]
    for side in (-1, 1):
        beside = (target + side).clamp(0, batch * time - 1)
        same = (beside // time == target // time) & (beside != target)
        logits = logits.scatter(1, torch.where(same, beside, (target + time) % (batch * time))[:, None], -1e4)
    forward = torch.nn.functional.cross_entropy(logits, target)
    # The other way: each such voice frame among the lip frames that count.
    backward = torch.nn.functional.cross_entropy(logits[:, target].T, torch.arange(len(rows), device=lips.device))
    return (forward + backward) / 2


def best_agreement(lips: Tensor, voice: Tensor, good: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """For every lips i (A, T, D) and voice j (B, T, D): the largest mean cosine over offsets -reach..reach, and that offset, (A, B).

    The mean runs over `good` (A, T) lip frames that the shifted voice covers; an offset that leaves fewer than ten counts as -1.
    """
    similarity = torch.einsum("itd,jsd->ijts", lips, voice)
    means = []
    for offset in range(-reach, reach + 1):
        line = torch.diagonal(similarity, offset, 2, 3)
        mask = good[:, max(-offset, 0) : max(-offset, 0) + line.shape[2]].to(line.dtype)[:, None]
        count = mask.sum(2)
        mean = (line * mask).sum(2) / count.clamp(min=1)
        means.append(torch.where(count >= MIN_OVERLAP, mean, torch.full_like(mean, -1)))
    best, where = torch.stack(means).max(0)
    return best, where - reach


def clip_loss(lips: Tensor, voice: Tensor, good: Tensor, reach: int, temperature: Tensor) -> Tensor:
    """InfoNCE over clips on exactly what the detector measures: a clip's own voice must agree more than any other clip's."""
    best, _ = best_agreement(lips, voice, good, reach)
    enough = (good.sum(1) >= MIN_OVERLAP).nonzero()[:, 0]
    logits = best / temperature
    forward = torch.nn.functional.cross_entropy(logits[enough], enough)
    backward = torch.nn.functional.cross_entropy(logits.T[enough], enough)
    return (forward + backward) / 2
