"""Vectors of each frame into the space in which lips and voice are compared.

On top of frozen encoders it brings both into one space where the encoders do not; over log-mel it is the voice tower.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engines.nets.streaming import Conv, Residual, Tower

DILATIONS = (1, 2, 2, 1)
SIZE = 128


def centred(vectors: Tensor, centre: Tensor) -> Tensor:
    """Take out what all speech has in common, which is no evidence of agreement (Mu and Viswanath 2018)."""
    return nn.functional.normalize(vectors - centre, dim=-1)


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
    def features(self) -> int:
        """Channels of the features behind the vectors."""
        return self.tower.project.in_features

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
        return self.both(x)[0]

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors of a whole clip, and the features (B, T, channels) behind them."""
        vectors, features = self.tower.both((x - self.mean) * self.scale)
        return centred(vectors, self.centre), features

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Encode the next frames of a stream; also the new state."""
        vectors, state = self.tower.step((x - self.mean) * self.scale, state)
        return centred(vectors, self.centre), state
