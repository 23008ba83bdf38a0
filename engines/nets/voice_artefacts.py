"""A small net that hears whether speech was made by a machine: a few seconds of linear bands to one logit.

Four convolutions over time and frequency; what they find is averaged over time, and so is how much it varies, and
where in the spectrum it lies is kept. Of phases it knows nothing: Opus keeps none.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

BANDS = 80
_WIDTHS = (1, 12, 24, 48, 96)
# Natural logarithm of power: what varies by about this much becomes about 1.
_SPREAD = 3.0


class VoiceArtefacts(nn.Module):
    """Log power in linear bands (B, T, `BANDS`), T at least 32 frames, to logits (B,): higher is made by a machine."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList()
        self.norms = nn.ModuleList()
        for n, (inputs, outputs) in enumerate(pairwise(_WIDTHS)):
            size = 5 if n == 0 else 3
            self.convolutions.append(nn.Conv2d(inputs, outputs, size, 2, size // 2, bias=False))
            self.norms.append(nn.BatchNorm2d(outputs))
        self.hidden = nn.Linear(2 * _WIDTHS[-1] * (BANDS // 16), 64)
        self.drop = nn.Dropout(0.3)
        self.answer = nn.Linear(64, 1)

    def forward(self, bands: Tensor) -> Tensor:
        """Hear windows, of which the level of every band is taken out."""
        x = ((bands - bands.mean(1, keepdim=True)) / _SPREAD)[:, None]
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = torch.relu(norm(convolution(x)))
        found = torch.cat([x.mean(2), x.std(2)], 1).flatten(1)
        logits: Tensor = self.answer(self.drop(torch.relu(self.hidden(found))))
        return logits[:, 0]
