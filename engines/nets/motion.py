"""Who moves so: three seconds of pose and expression to a unit vector.

Two views of a window are put together. How its numbers vary together (a covariance of the numbers and one of their
changes: Agarwal et al., "Protecting World Leaders Against Deep Fakes", CVPR workshops 2019, whose correlations of
action units and head angles tell people apart from little data), and what a convolution over time sees of its shapes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

DILATIONS = (1, 2, 4, 8)
SIZE = 64
# Variance that is added before logarithms and quotients, in units of the typical variance of a number.
_FLOOR = 1e-2


class MotionNet(nn.Module):
    """Windows (B, T, F) less their neutral, and mask (B, T) of 1 and 0, to unit vectors (B, size)."""

    def __init__(
        self, features: int, size: int = SIZE, channels: int = 64, dropout: float = 0.2, sequence: bool = True
    ) -> None:
        super().__init__()
        self.size = size
        self.scale = nn.Parameter(torch.ones(features), requires_grad=False)
        # What is usual of the moments, so that a person stands out by what differs.
        moments = _moments_size(features)
        self.usual = nn.Parameter(torch.zeros(moments), requires_grad=False)
        self.spread = nn.Parameter(torch.ones(moments), requires_grad=False)
        self.moments = nn.Sequential(nn.Dropout(dropout), nn.Linear(moments, size, bias=False))
        self.sequence = _Sequence(features, channels, size, dropout) if sequence else None
        self.register_buffer("upper", torch.triu_indices(features, features), persistent=False)

    upper: Tensor

    def forward(self, motion: Tensor, mask: Tensor) -> Tensor:
        """Embed windows."""
        x = motion * self.scale * mask[..., None]
        seen = self.moments(((self.statistics(x, mask) - self.usual) / self.spread).clamp(-4, 4))
        if self.sequence is not None:
            seen = seen + self.sequence(x, mask)
        return nn.functional.normalize(seen, dim=-1)

    def statistics(self, x: Tensor, mask: Tensor) -> Tensor:
        """Log variances and correlations of scaled numbers (B, T, F) and of their changes: (B, F * (F + 1))."""
        both = mask[:, 1:] * mask[:, :-1]
        steps = (x[:, 1:] - x[:, :-1]) * both[..., None]
        return torch.cat([self._moments(x, mask, _FLOOR), self._moments(steps, both, 0.03 * _FLOOR)], 1)

    def _moments(self, x: Tensor, mask: Tensor, floor: float) -> Tensor:
        count = mask.sum(1).clamp(min=1.0)
        mean = x.sum(1) / count[:, None]
        moved = (x - mean[:, None]) * mask[..., None]
        covariance = moved.transpose(1, 2) @ moved / count[:, None, None]
        variance = torch.diagonal(covariance, dim1=1, dim2=2) + floor
        root = variance.sqrt()
        together = covariance / (root[:, :, None] * root[:, None])
        rows, columns = self.upper
        # On the diagonal a correlation says nothing: the variance stands there.
        flat = together[:, rows, columns]
        return torch.where(rows == columns, variance.log()[:, rows], flat)


def _moments_size(features: int) -> int:
    return features * (features + 1)


class _Sequence(nn.Module):
    def __init__(self, features: int, channels: int, size: int, dropout: float) -> None:
        super().__init__()
        self.enter = nn.Conv1d(features, channels, 5, padding=2)
        self.blocks = nn.ModuleList(_Block(channels, dilation, dropout) for dilation in DILATIONS)
        self.leave = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * channels, size, bias=False))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        seen = mask[:, None]
        hidden = self.enter(x.transpose(1, 2)) * seen
        for block in self.blocks:
            hidden = block(hidden, seen)
        count = seen.sum(2).clamp(min=1.0)
        mean = hidden.sum(2) / count
        spread = ((((hidden - mean[..., None]) * seen) ** 2).sum(2) / count + _FLOOR).sqrt()
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
