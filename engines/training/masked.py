"""Masked prediction: lips must say which sound is made where the sound is hidden, and the other way round.

After SpeechForensics (Liang et al., NeurIPS 2024, section 3.1) and AV-HuBERT, whose representation it uses: targets are
clusters of the sound (first iteration of AV-HuBERT), spans of one modality are hidden at the input, whole modalities
are dropped, and a small transformer over the joint sequence predicts the cluster of every hidden step. Alignment in
time can be had from rhythm alone; naming the sound cannot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engines.training.clips import Clip

UNITS = 128
SPAN_STEPS = 8
UNKNOWN = -1


def sound_units(clips: Sequence[Clip], count: int = UNITS, rounds: int = 25, seed: int = 0) -> NDArray[np.float32]:
    """Centroids (count, 320) of the steps with speech, by k-means on `sound_steps`."""
    rows = torch.from_numpy(np.concatenate([sound_steps(clip)[clip.good] for clip in clips]))
    random = torch.Generator().manual_seed(seed)
    count = min(count, len(rows))
    centres = rows[torch.randperm(len(rows), generator=random)[:count]].clone()
    for _ in range(rounds):
        near = torch.cdist(rows, centres).argmin(1)
        sums = torch.zeros_like(centres).index_add_(0, near, rows)
        sizes = torch.bincount(near, minlength=count)
        centres = torch.where((sizes > 0)[:, None], sums / sizes.clamp(min=1)[:, None], centres)
    return centres.numpy()


def sound_steps(clip: Clip) -> NDArray[np.float32]:
    """Log-mel (T, 320) relative to the clip's own mean speech: which sound it is, not who says it where."""
    steps = clip.mel.reshape(len(clip), -1)
    return np.asarray(steps - steps[clip.good].mean(0), np.float32) if clip.good.any() else steps


def label(clips: Sequence[Clip], centres: NDArray[np.float32]) -> Mapping[str, NDArray[np.int64]]:
    """Nearest centroid of each step (T,), by clip name; the first version of a name speaks for all."""
    table = torch.from_numpy(centres)
    named: dict[str, NDArray[np.int64]] = {}
    for clip in clips:
        if clip.name not in named:
            named[clip.name] = torch.cdist(torch.from_numpy(sound_steps(clip)), table).argmin(1).numpy()
    return named


@dataclass(frozen=True, slots=True, eq=False)
class Hidden:
    """What is hidden of a batch: input steps of `lips` and `voice` (B, T), and rows (B,) that lose all their voice."""

    lips: Tensor
    voice: Tensor
    no_voice: Tensor

    def to(self, device: torch.device) -> Hidden:
        """Move to a device."""
        return Hidden(self.lips.to(device), self.voice.to(device), self.no_voice.to(device))


def at_lips(voice: Tensor, lag: Tensor) -> Tensor:
    """Rows (B, T, ...) of voice steps at the moments of the lips; row b of the voice starts `lag[b]` steps after them.

    Moments that the voice does not cover take its nearest step.
    """
    time = voice.shape[1]
    at = (torch.arange(time, device=voice.device)[None] - lag[:, None]).clamp(0, time - 1)
    rows = torch.arange(len(voice), device=voice.device)[:, None]
    return voice[rows, at]


def hide(batch: int, time: int, random: torch.Generator) -> Hidden:
    """Draw what is hidden: a third of the rows each lose spans of sound, all sound, or spans of lips and all sound."""
    kind = torch.rand(batch, generator=random)
    spans = torch.zeros(batch, time, dtype=torch.bool)
    for _ in range(max(time // (2 * SPAN_STEPS), 1)):
        start = torch.randint(0, max(time - SPAN_STEPS, 1), (batch, 1), generator=random)
        at = torch.arange(time)[None]
        spans |= (at >= start) & (at < start + SPAN_STEPS)
    return Hidden(
        spans & (kind > 2 / 3)[:, None],
        spans & (kind < 1 / 3)[:, None],
        kind >= 1 / 3,
    )


class Context(nn.Module):
    """A transformer over the joint sequence of both towers' features; needed in training only.

    `lips` and `voice` are the channels of the features; it gives logits over `units` sounds at each step.
    """

    def __init__(self, lips: int, voice: int, units: int = UNITS, size: int = 192, layers: int = 2) -> None:
        super().__init__()
        self.lips, self.voice = nn.Linear(lips, size), nn.Linear(voice, size)
        self.no_voice = nn.Parameter(torch.zeros(size))
        self.place = nn.Conv1d(size, size, 9, padding=4, groups=8)
        layer = nn.TransformerEncoderLayer(size, 4, 2 * size, 0.1, "gelu", batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.answer = nn.Linear(size, units)

    def forward(self, lips: Tensor, voice: Tensor, no_voice: Tensor, inside: Tensor) -> Tensor:
        """Lips (B, T, C), the voice of the same moments (B, T, C'), rows without voice (B,), real steps (B, T)."""
        heard = torch.where(no_voice[:, None, None], self.no_voice, self.voice(voice))
        x = self.lips(lips) + heard
        x = x + nn.functional.gelu(self.place(x.transpose(1, 2))).transpose(1, 2)
        logits: Tensor = self.answer(self.layers(x, src_key_padding_mask=~inside))
        return logits


def masked_loss(
    context: Context, lips: Tensor, voice: Tensor, lag: Tensor, good: Tensor, hidden: Hidden, units: Tensor
) -> Tensor:
    """Cross-entropy of the sounds (B, T) at the steps where the sound is hidden.

    Row b of `voice` starts `lag[b]` steps after its lips; it is moved to the lips' moments first.
    """
    time = good.shape[1]
    at = torch.arange(time, device=good.device)[None] - lag[:, None]
    inside = (at >= 0) & (at < time)
    logits = context(lips, at_lips(voice, lag), hidden.no_voice, inside)
    counted = (hidden.no_voice[:, None] | at_lips(hidden.voice, lag)) & inside & good & (units != UNKNOWN)
    if not counted.any():
        nothing: Tensor = logits.sum() * 0
        return nothing
    loss: Tensor = nn.functional.cross_entropy(logits[counted].float(), units[counted])
    return loss
