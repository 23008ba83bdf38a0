"""MobileNetV2 (Sandler et al., CVPR 2018), width 1.0, and its ImageNet trunk as published for Gluon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

FEATURES = 1280
# (expansion, channels, repeats, stride) of each stage, table 2 of the paper.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
# Where the feature map has stride 16 for the last time: what a dense target is read from.
_DENSE, DENSE_CHANNELS = 13, 96


class Bottleneck(nn.Module):
    """An inverted residual: widen, filter each channel, narrow; added to its input where shapes allow."""

    def __init__(self, inside: int, outside: int, expansion: int, stride: int) -> None:
        super().__init__()
        wide = inside * expansion
        # The published trunk widens even by 1.
        self.widen = _unit(inside, wide, 1, 1, 1)
        self.filter = _unit(wide, wide, 3, stride, wide)
        self.narrow = nn.Sequential(nn.Conv2d(wide, outside, 1, bias=False), nn.BatchNorm2d(outside))
        self.add = stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        """Apply to (N, C, H, W)."""
        y: Tensor = self.narrow(self.filter(self.widen(x)))
        return x + y if self.add else y


def _unit(inside: int, outside: int, kernel: int, stride: int, groups: int) -> nn.Sequential:
    convolution = nn.Conv2d(inside, outside, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outside), nn.ReLU6(inplace=True))


class MobileNetV2(nn.Module):
    """The trunk: pictures (N, 3, S, S) to a map (N, 96, S/16, S/16) and pooled features (N, 1280)."""

    features_size = FEATURES
    dense_channels = DENSE_CHANNELS

    def __init__(self) -> None:
        super().__init__()
        self.stem = _unit(3, 32, 3, 2, 1)
        blocks: list[nn.Module] = []
        inside = 32
        for expansion, channels, repeats, stride in STAGES:
            for number in range(repeats):
                blocks.append(Bottleneck(inside, channels, expansion, stride if number == 0 else 1))
                inside = channels
        self.blocks = nn.ModuleList(blocks)
        self.last = _unit(inside, FEATURES, 1, 1, 1)

    def freeze(self, blocks: int) -> None:
        """Learn nothing more in the stem and the first `blocks` blocks; calling it again changes nothing."""
        for part in (self.stem, *self.blocks[:blocks]):
            part.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Give the map of stride 16 and the pooled features."""
        x = self.stem(x)
        dense = x
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number == _DENSE - 1:
                dense = x
        return dense, self.last(x).mean((2, 3))


def load_gluon(net: MobileNetV2, arrays: Mapping[str, NDArray[np.float32]]) -> None:
    """Take the published ImageNet weights by their Gluon names; raises `KeyError` or `RuntimeError` for others.

    That trunk was trained on RGB in 0..1 less the ImageNet mean, over its deviation.
    """
    prefix = "mobilenetv20_features_"
    units: list[tuple[str, str, nn.Sequential]] = [("conv0", "batchnorm0", net.stem)]
    for number, block in enumerate(cast("list[Bottleneck]", list(net.blocks))):
        for part, unit in enumerate((block.widen, block.filter, block.narrow)):
            name = f"linearbottleneck{number}_"
            units.append((f"{name}conv{part}", f"{name}batchnorm{part}", unit))
    units.append(("conv1", "batchnorm1", net.last))
    for convolution, norm, unit in units:
        state = {"0.weight": arrays[f"{prefix}{convolution}_weight"]}
        for mine, theirs in (("weight", "gamma"), ("bias", "beta"), ("running_mean",) * 2, ("running_var",) * 2):
            state[f"1.{mine}"] = arrays[f"{prefix}{norm}_{theirs}"]
        state["1.num_batches_tracked"] = np.zeros((), np.int64)
        unit.load_state_dict({key: torch.from_numpy(value) for key, value in state.items()})
