"""Small towers on top of frozen encoders: they bring lips and voice into one space where the encoders do not."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engines.nets.speech import DILATIONS, SIZE
from engines.nets.streaming import Conv, Residual, Tower


class Head(nn.Module):
    """Vectors (B, T, F) of an encoder to unit vectors (B, T, 128), late by `reach` when streamed."""

    def __init__(self, inputs: int, channels: int = 160, dropout: float = 0.2) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(inputs), requires_grad=False)
        self.scale = nn.Parameter(torch.ones(inputs), requires_grad=False)
        self.centre = nn.Parameter(torch.zeros(SIZE), requires_grad=False)
        self.tower = Tower(
            [Conv(inputs, channels, 5), *(Residual(channels, d, dropout) for d in DILATIONS)], channels, SIZE
        )

    @property
    def reach(self) -> int:
        """Frames that an answer waits for."""
        return self.tower.reach

    @property
    def state_size(self) -> int:
        """Numbers of state per batch row."""
        return self.tower.state_size

    def forward(self, x: Tensor) -> Tensor:
        """Encode a whole clip."""
        return self._centred(self.tower((x - self.mean) * self.scale))

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Encode the next frames of a stream; also the new state."""
        vectors, state = self.tower.step((x - self.mean) * self.scale, state)
        return self._centred(vectors), state

    def _centred(self, vectors: Tensor) -> Tensor:
        # What all speech has in common is no evidence of agreement; see `engines.nets.speech`.
        return nn.functional.normalize(vectors - self.centre, dim=-1)
