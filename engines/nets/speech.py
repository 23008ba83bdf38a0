"""The two towers of audio-visual speech agreement: lips (landmarks, mouth pictures) and voice, 25 vectors a second.

After SpeechForensics (Liang et al., NeurIPS 2024, section 3.1): both see a neighbourhood of frames, both end in one
space in which the cosine says how well they fit. The lips' answer is the mean of its two eyes' unit vectors; the mean
over all speech is taken out of both answers, and what is left is of unit length: one dot product is the cosine.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engines.nets.streaming import Conv, Pictures, Residual, Tower

DILATIONS = (1, 2, 2, 1)
SIZE = 128
SHAPE = 168
MOUTH = 36
STEP_MELS = 320


class Lips(nn.Module):
    """Shapes (B, T, 168) and mouth pictures (B, T, 36, 36) in [0, 1] to (B, T, 128), late by `reach` when streamed."""

    def __init__(self, channels: int = 160, dropout: float = 0.2) -> None:
        super().__init__()
        self.shape_scale = nn.Parameter(torch.ones(SHAPE), requires_grad=False)
        self.centre = nn.Parameter(torch.zeros(SIZE), requires_grad=False)
        self.shapes = Tower(
            [Conv(SHAPE, channels, 5), *(Residual(channels, d, dropout) for d in DILATIONS)], channels, SIZE
        )
        self.pictures = Tower(
            [Pictures(MOUTH, channels), *(Residual(channels, d, dropout) for d in DILATIONS)], channels, SIZE
        )

    @property
    def reach(self) -> int:
        """Frames that an answer waits for."""
        return self.shapes.reach

    @property
    def state_size(self) -> int:
        """Numbers of state per batch row."""
        return self.shapes.state_size + self.pictures.state_size

    def eyes(self, shape: Tensor, mouth: Tensor) -> tuple[Tensor, Tensor]:
        """Both unit vectors (B, T, 128) over a whole clip: by landmarks and by pictures."""
        return self.shapes(shape * self.shape_scale), self.pictures(_standard(mouth))

    def forward(self, shape: Tensor, mouth: Tensor) -> Tensor:
        """Encode a whole clip."""
        a, b = self.eyes(shape, mouth)
        return _centred((a + b) / 2, self.centre)

    def step(self, shape: Tensor, mouth: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Encode the next frames of a stream; also the new state."""
        cut = self.shapes.state_size
        a, left = self.shapes.step(shape * self.shape_scale, state[:, :cut])
        b, right = self.pictures.step(_standard(mouth), state[:, cut:])
        return _centred((a + b) / 2, self.centre), torch.cat([left, right], 1)


def _centred(vectors: Tensor, centre: Tensor) -> Tensor:
    """Take out what all speech has in common, which is no evidence of agreement (Mu and Viswanath 2018)."""
    return nn.functional.normalize(vectors - centre, dim=-1)


def _standard(mouth: Tensor) -> Tensor:
    # Light and contrast say nothing about speech: each picture is taken relative to itself.
    mean = mouth.mean((2, 3), keepdim=True)
    spread = (mouth - mean).pow(2).mean((2, 3), keepdim=True).sqrt()
    return (mouth - mean) / (spread + 0.02)


class Voice(nn.Module):
    """Log-mel (B, T, 4, 80), four frames a step, to unit vectors (B, T, 128), late by `reach` when streamed."""

    def __init__(self, channels: int = 176, dropout: float = 0.2) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(STEP_MELS), requires_grad=False)
        self.scale = nn.Parameter(torch.ones(STEP_MELS), requires_grad=False)
        self.centre = nn.Parameter(torch.zeros(SIZE), requires_grad=False)
        self.tower = Tower(
            [Conv(STEP_MELS, channels, 5), *(Residual(channels, d, dropout) for d in DILATIONS)], channels, SIZE
        )

    @property
    def reach(self) -> int:
        """Frames that an answer waits for."""
        return self.tower.reach

    @property
    def state_size(self) -> int:
        """Numbers of state per batch row."""
        return self.tower.state_size

    def forward(self, mel: Tensor) -> Tensor:
        """Encode a whole clip."""
        return _centred(self.tower(self._standard(mel)), self.centre)

    def step(self, mel: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Encode the next frames of a stream; also the new state."""
        vectors, state = self.tower.step(self._standard(mel), state)
        return _centred(vectors, self.centre), state

    def _standard(self, mel: Tensor) -> Tensor:
        return (mel.flatten(2) - self.mean) * self.scale
