"""The two towers of audio-visual speech agreement: lips (landmarks, mouth pictures) and voice, 25 vectors a second.

After SpeechForensics (Liang et al., NeurIPS 2024, section 3.1): both see a neighbourhood of frames, both end in one
space in which the cosine says how well they fit. The lips' answer is the mean of its two eyes' unit vectors; the mean
over all speech is taken out of both answers, and what is left is of unit length: one dot product is the cosine.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from engines.nets.heads import DILATIONS, SIZE, Head, centred
from engines.nets.streaming import Conv, Pictures, Residual, Tower

SHAPE = 168
MOUTH = 36
STEP_MELS = 320


class Lips(nn.Module):
    """Shapes (B, T, 168) and mouth pictures (B, T, 36, 36) in [0, 1] to (B, T, 128), late by `reach` when streamed."""

    size = SIZE

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
    def features(self) -> int:
        """Channels of the features behind both eyes."""
        return 2 * self.shapes.project.in_features

    @property
    def reach(self) -> int:
        """Frames that an answer waits for."""
        return self.shapes.reach

    @property
    def state_size(self) -> int:
        """Numbers of state per batch row."""
        return self.shapes.state_size + self.pictures.state_size

    def eyes(self, shape: Tensor, mouth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Both unit vectors (B, T, 128) over a whole clip, by landmarks and by pictures, and the features behind them.

        The features (B, T, 2 * channels) are those that masked prediction builds on.
        """
        a, seen = self.shapes.both(shape * self.shape_scale)
        b, looked = self.pictures.both(_standard(mouth))
        return a, b, torch.cat([seen, looked], -1)

    def forward(self, shape: Tensor, mouth: Tensor) -> Tensor:
        """Encode a whole clip."""
        a, b, _ = self.eyes(shape, mouth)
        return centred((a + b) / 2, self.centre)

    def step(self, shape: Tensor, mouth: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Encode the next frames of a stream; also the new state."""
        cut = self.shapes.state_size
        a, left = self.shapes.step(shape * self.shape_scale, state[:, :cut])
        b, right = self.pictures.step(_standard(mouth), state[:, cut:])
        return centred((a + b) / 2, self.centre), torch.cat([left, right], 1)


def _standard(mouth: Tensor) -> Tensor:
    # Light and contrast say nothing about speech: each picture is taken relative to itself.
    mean = mouth.mean((2, 3), keepdim=True)
    spread = (mouth - mean).pow(2).mean((2, 3), keepdim=True).sqrt()
    return (mouth - mean) / (spread + 0.02)


class Voice(Head):
    """Log-mel (B, T, 4, 80), four frames a step, to unit vectors (B, T, 128), late by `reach` when streamed."""

    size = SIZE

    def __init__(self, channels: int = 176, dropout: float = 0.2) -> None:
        super().__init__(STEP_MELS, channels, dropout)

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors of a whole clip, and the features (B, T, channels) behind them."""
        return super().both(x.flatten(2))

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Encode the next frames of a stream; also the new state."""
        return super().step(x.flatten(2), state)


class Ensemble(nn.Module):
    """Towers trained apart, side by side: their vectors joined to one unit vector, whose cosine is the mean of theirs.

    All have one reach.
    """

    def __init__(self, members: Sequence[Lips] | Sequence[Voice]) -> None:
        super().__init__()
        self.reach = members[0].reach
        self.sizes = [member.state_size for member in members]
        self.state_size = sum(self.sizes)
        self.size = SIZE * len(members)

    def parts(self, state: Tensor) -> Sequence[Tensor]:
        """Cut a state into those of the members."""
        return torch.split(state, self.sizes, 1)

    def joined(self, vectors: Sequence[Tensor]) -> Tensor:
        """Make one unit vector of those of the members."""
        return torch.cat(list(vectors), -1) / float(len(self.sizes) ** 0.5)

    def join(self, stepped: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """Make one answer and one state of those of the members."""
        vectors, states = zip(*stepped, strict=True)
        return self.joined(vectors), torch.cat(states, 1)


class LipsEnsemble(Ensemble):
    """Several `Lips` as one."""

    def __init__(self, members: Sequence[Lips]) -> None:
        super().__init__(members)
        self.lips = nn.ModuleList(members)
        self._members = tuple(members)

    def forward(self, shape: Tensor, mouth: Tensor) -> Tensor:
        """Encode a whole clip."""
        return self.joined([member(shape, mouth) for member in self._members])

    def step(self, shape: Tensor, mouth: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Encode the next frames of a stream; also the new state."""
        parts = self.parts(state)
        return self.join([m.step(shape, mouth, part) for m, part in zip(self._members, parts, strict=True)])


class VoiceEnsemble(Ensemble):
    """Several `Voice` as one."""

    def __init__(self, members: Sequence[Voice]) -> None:
        super().__init__(members)
        self.voices = nn.ModuleList(members)
        self._members = tuple(members)

    def forward(self, mel: Tensor) -> Tensor:
        """Encode a whole clip."""
        return self.joined([member(mel) for member in self._members])

    def step(self, mel: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Encode the next frames of a stream; also the new state."""
        return self.join([m.step(mel, part) for m, part in zip(self._members, self.parts(state), strict=True)])
