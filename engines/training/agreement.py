"""How well lips fit a voice, as training sees it: contrastive losses, and the offset-searched agreement."""

from __future__ import annotations

import math

import torch
from torch import Tensor

MIN_OVERLAP = 10


def time_loss(lips: Tensor, voice: Tensor, lag: Tensor, good: Tensor, temperature: Tensor) -> Tensor:
    """InfoNCE over the moments of one clip, both ways: it asks when in its own clip something was said.

    `lips` and `voice` (B, T, D) are unit vectors, the voice of row b starts `lag[b]` steps after its lips, `good` (B,
    T) marks lip frames with speech. Nothing but time tells these apart, so no likeness of a face to a voice or a room
    can stand in for speech.
    """
    target, counts = _target(lag, good)
    logits = torch.einsum("btd,bsd->bts", lips, voice) / temperature
    logits = _without_neighbours(logits, target)
    rows = counts.nonzero(as_tuple=True)
    forward = torch.nn.functional.cross_entropy(logits[rows], target[rows])
    # The other way: the voice frame of each counted lip frame, among all lip frames of the clip.
    columns = logits.transpose(1, 2)[rows[0], target[rows]]
    return (forward + torch.nn.functional.cross_entropy(columns, rows[1])) / 2


def frame_loss(lips: Tensor, voice: Tensor, lag: Tensor, good: Tensor, temperature: Tensor) -> Tensor:
    """InfoNCE over all voice frames of the batch (SpeechForensics, section 3.1); arguments as in `time_loss`."""
    batch, time, _ = lips.shape
    target, counts = _target(lag, good)
    logits = torch.einsum("btd,csd->btcs", lips, voice) / temperature
    rows_of_batch = torch.arange(batch, device=lips.device)
    logits[rows_of_batch, :, rows_of_batch] = _without_neighbours(logits[rows_of_batch, :, rows_of_batch], target)
    rows = counts.nonzero(as_tuple=True)
    flat = logits.reshape(batch, time, batch * time)[rows]
    truth = rows[0] * time + target[rows]
    forward = torch.nn.functional.cross_entropy(flat, truth)
    backward = torch.nn.functional.cross_entropy(flat[:, truth].T, torch.arange(len(truth), device=lips.device))
    return (forward + backward) / 2


def _target(lag: Tensor, good: Tensor) -> tuple[Tensor, Tensor]:
    """For each lip frame (B, T) the voice frame of the same moment, and whether there is one that counts."""
    time = good.shape[1]
    at = torch.arange(time, device=good.device)[None] - lag[:, None]
    return at.clamp(0, time - 1), good & (at >= 0) & (at < time)


def _without_neighbours(logits: Tensor, target: Tensor) -> Tensor:
    # The voice frames right beside the true one are no negatives: 40 ms is within what sources are off by themselves.
    steps = torch.arange(logits.shape[-1], device=logits.device)
    beside = (steps - target[..., None]).abs() == 1
    return logits.masked_fill(beside, -1e4)


def best_agreement(lips: Tensor, voice: Tensor, good: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """Search offsets -reach..reach for the largest mean cosine of lips (A, T, D) and voice (B, T, D).

    Gives that mean and its offset, both (A, B), for every lips with every voice. The mean runs over `good` (A, T) lip
    frames that the shifted voice covers; an offset that leaves fewer than ten counts as -1.
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
    """InfoNCE over clips on what the detector measures: a clip's own voice must agree more than any other clip's.

    It is asked of each lips, of each voice, and of all pairs at once: one threshold serves everybody, so that a clip's
    own agreement must stand above what any two others reach.
    """
    best, _ = best_agreement(lips, voice, good, reach)
    enough = (good.sum(1) >= MIN_OVERLAP).nonzero()[:, 0]
    logits = best / temperature
    forward = torch.nn.functional.cross_entropy(logits[enough], enough)
    backward = torch.nn.functional.cross_entropy(logits.T[enough], enough)
    if len(enough) < 2:
        return (forward + backward) / 2
    counted = logits[enough][:, enough]
    own = torch.eye(len(enough), dtype=torch.bool, device=lips.device)
    # As many others as a row has: the three terms are of one size.
    others = counted.masked_fill(own, -torch.inf).flatten().logsumexp(0) - math.log(max(len(enough), 1))
    pooled = torch.nn.functional.softplus(others - counted.diagonal()).mean()
    return (forward + backward + pooled) / 3
