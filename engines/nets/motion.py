"""Who moves so: three seconds of pose and expression to a unit vector.

What tells people apart from little data is which of their movements go together (Agarwal et al., "Protecting World
Leaders Against Deep Fakes", CVPR workshops 2019: correlations of action units and head angles). So a window becomes the
correlations of its numbers and of their changes, which no amplitude of a tracker or a camera scales; a projection of
them, begun with principal components, is what training moves. Beside it a convolution over time may see the shapes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

DILATIONS = (1, 2, 4, 8)
SIZE = 128
# Variance that is added before quotients, of numbers and of their changes, in units of a number's typical variance:
# what hardly moves goes together with nothing.
FLOOR, FLOOR_OF_CHANGES = 1e-2, 3e-4
_CLIP = 4.0


class MotionNet(nn.Module):
    """Windows (B, T, F) less their neutral, and mask (B, T) of 1 and 0, to unit vectors (B, size).

    `scale` (F,) brings the numbers to one deviation; `usual` and `spread` are of the correlations over people: what all
    have in common is no evidence. All three are set from training data and not learnt.
    """

    upper: Tensor

    def __init__(
        self, features: int, size: int = SIZE, channels: int = 64, dropout: float = 0.2, sequence: bool = True
    ) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("upper", torch.triu_indices(features, features, 1), persistent=False)
        pairs = 2 * self.upper.shape[1]
        self.scale = nn.Parameter(torch.ones(features), requires_grad=False)
        self.usual = nn.Parameter(torch.zeros(pairs), requires_grad=False)
        self.spread = nn.Parameter(torch.ones(pairs), requires_grad=False)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(pairs, size, bias=False).requires_grad_(False)
        self.turn = nn.Linear(size, size, bias=False)
        nn.init.eye_(self.turn.weight)
        self.sequence = _Sequence(features, channels, size, dropout) if sequence else None

    def forward(self, motion: Tensor, mask: Tensor) -> Tensor:
        """Embed windows."""
        seen: Tensor = self.turn(self.project(self.dropout(self.standard(motion, mask))))
        if self.sequence is not None:
            seen = seen + self.sequence(motion * self.scale * mask[..., None], mask)
        return nn.functional.normalize(seen, dim=-1)

    def standard(self, motion: Tensor, mask: Tensor) -> Tensor:
        """Correlations of windows in deviations from what is usual, (B, F * (F - 1))."""
        return ((self.correlations(motion, mask) - self.usual) / self.spread).clamp(-_CLIP, _CLIP)

    def correlations(self, motion: Tensor, mask: Tensor) -> Tensor:
        """Correlations of the numbers of windows (B, T, F) and of their changes from step to step: (B, F * (F - 1))."""
        x = motion * self.scale * mask[..., None]
        both = mask[:, 1:] * mask[:, :-1]
        steps = (x[:, 1:] - x[:, :-1]) * both[..., None]
        return torch.cat([self._together(x, mask, FLOOR), self._together(steps, both, FLOOR_OF_CHANGES)], 1)

    def _together(self, x: Tensor, mask: Tensor, floor: float) -> Tensor:
        count = mask.sum(1).clamp(min=1.0)
        mean = x.sum(1) / count[:, None]
        moved = (x - mean[:, None]) * mask[..., None]
        covariance = moved.transpose(1, 2) @ moved / count[:, None, None]
        root = (torch.diagonal(covariance, dim1=1, dim2=2) + floor).sqrt()
        rows, columns = self.upper
        return (covariance / (root[:, :, None] * root[:, None]))[:, rows, columns]


class _Sequence(nn.Module):
    """A convolution over time and its mean and spread; its last layer begins at nothing."""

    def __init__(self, features: int, channels: int, size: int, dropout: float) -> None:
        super().__init__()
        self.enter = nn.Conv1d(features, channels, 5, padding=2)
        self.blocks = nn.ModuleList(_Block(channels, dilation, dropout) for dilation in DILATIONS)
        self.leave = nn.Linear(2 * channels, size, bias=False)
        nn.init.zeros_(self.leave.weight)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        seen = mask[:, None]
        hidden = self.enter(x.transpose(1, 2)) * seen
        for block in self.blocks:
            hidden = block(hidden, seen)
        count = seen.sum(2).clamp(min=1.0)
        mean = hidden.sum(2) / count
        spread = ((((hidden - mean[..., None]) * seen) ** 2).sum(2) / count + FLOOR).sqrt()
        pooled: Tensor = self.leave(torch.cat([mean, spread], 1))
        return pooled


class _Block(nn.Module):
    def __init__(self, channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, channels)
        self.wide = nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.point = nn.Conv1d(channels, channels, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        inner = nn.functional.gelu(self.wide(self.norm(x) * seen))
        out: Tensor = (x + self.dropout(self.point(inner))) * seen
        return out
