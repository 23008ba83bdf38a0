"""EfficientNet-B4 (Tan & Le, ICML 2019), the paper's backbone, in the layout of the weights that torchvision publishes.

A user who has such a file loads it with `load_published`; none is shipped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor, nn

FEATURES = 1792
# (expansion, kernel, stride, channels in, channels out, repeats) of B0, table 1; B4 is 1.4 times wider, 1.8 deeper.
_STAGES = (
    (1, 3, 1, 32, 16, 1),
    (6, 3, 2, 16, 24, 2),
    (6, 5, 2, 24, 40, 2),
    (6, 3, 2, 40, 80, 3),
    (6, 5, 1, 80, 112, 3),
    (6, 5, 2, 112, 192, 4),
    (6, 3, 1, 192, 320, 1),
)
_WIDTH, _DEPTH = 1.4, 1.8
_DROP = 0.2


def _wide(channels: int) -> int:
    scaled = channels * _WIDTH
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * scaled else rounded + 8


def _unit(inside: int, outside: int, kernel: int, stride: int = 1, groups: int = 1, bent: bool = True) -> nn.Sequential:
    parts: list[nn.Module] = [
        nn.Conv2d(inside, outside, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outside),
    ]
    return nn.Sequential(*parts, nn.SiLU(inplace=True)) if bent else nn.Sequential(*parts)


class Squeeze(nn.Module):
    """Squeeze and excitation (Hu et al. 2018): each channel weighed by what all channels hold on average."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, inner, 1)
        self.fc2 = nn.Conv2d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Weigh the channels of (N, C, H, W)."""
        inner = nn.functional.silu(self.fc1(x.mean((2, 3), keepdim=True)))
        weighed: Tensor = x * self.fc2(inner).sigmoid()
        return weighed


class Block(nn.Module):
    """An inverted residual with squeeze and excitation; whole examples skip it at random in training."""

    def __init__(self, expansion: int, kernel: int, stride: int, inside: int, outside: int, drop: float) -> None:
        super().__init__()
        wide = inside * expansion
        parts = [_unit(inside, wide, 1)] if expansion > 1 else []
        self.block = nn.Sequential(
            *parts,
            _unit(wide, wide, kernel, stride, wide),
            Squeeze(wide, max(1, inside // 4)),
            _unit(wide, outside, 1, bent=False),
        )
        self.add = stride == 1 and inside == outside
        self.drop = drop

    def forward(self, x: Tensor) -> Tensor:
        """Apply to (N, C, H, W)."""
        y: Tensor = self.block(x)
        if not self.add:
            return y
        if self.training and self.drop:
            keep = x.new_empty(len(x), 1, 1, 1).bernoulli_(1 - self.drop)
            y = y * keep / (1 - self.drop)
        return x + y


class EfficientNetB4(nn.Module):
    """The trunk: pictures (N, 3, S, S) to a map (N, 160, S/16, S/16) and pooled features (N, 1792)."""

    features_size = FEATURES
    dense_channels = 160

    def __init__(self) -> None:
        super().__init__()
        stages: list[nn.Module] = [_unit(3, _wide(32), 3, 2)]
        total = sum(math.ceil(stage[-1] * _DEPTH) for stage in _STAGES)
        count = 0
        for expansion, kernel, stride, inside, outside, repeats in _STAGES:
            blocks = []
            for number in range(math.ceil(repeats * _DEPTH)):
                first = number == 0
                into = _wide(inside) if first else _wide(outside)
                drop = _DROP * count / total
                blocks.append(Block(expansion, kernel, stride if first else 1, into, _wide(outside), drop))
                count += 1
            stages.append(nn.Sequential(*blocks))
        stages.append(_unit(_wide(320), FEATURES, 1))
        self.features = nn.Sequential(*stages)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Give the map of stride 16 and the pooled features."""
        dense = x
        for number, stage in enumerate(self.features):
            x = stage(x)
            if number == 5:
                dense = x
        return dense, x.mean((2, 3))


def load_published(net: EfficientNetB4, state: Mapping[str, Tensor]) -> None:
    """Take torchvision's `efficientnet_b4` state, its classifier left out; raises `RuntimeError` for any other."""
    net.load_state_dict({key: value for key, value in state.items() if not key.startswith("classifier.")})
