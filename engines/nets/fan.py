"""2D-FAN: the places of 68 landmarks of a face, as maps, by hourglasses in a row.

After Bulat and Tzimiropoulos, "How far are we from solving the 2D & 3D face alignment problem?" (ICCV 2017): the
hourglass of Newell et al. (ECCV 2016) with the hierarchical, parallel and multi-scale block of Bulat and Tzimiropoulos,
"Binarized convolutional landmark localizers" (ICCV 2017) in place of each bottleneck. Four of them make FAN-4.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SIDE = 256
MAP_SIDE = 64
LANDMARKS = 68
CHANNELS = 256
DEPTH = 4


class Block(nn.Module):
    """Three filters in a row, each of which also speaks for itself: half, a quarter and a quarter of the channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half, quarter = outputs // 2, outputs // 4
        self.one, self.two, self.three = _filter(inputs, half), _filter(half, quarter), _filter(quarter, quarter)
        self.straight = _filter(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H, W)."""
        one = self.one(x)
        two = self.two(one)
        y: Tensor = torch.cat([one, two, self.three(two)], 1) + self.straight(x)
        return y


def _filter(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(), convolution)


class Hourglass(nn.Module):
    """Halves the picture `depth` times and doubles it again, and remembers each size on the way."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.aside, self.down, self.up = (Block(CHANNELS, CHANNELS) for _ in range(3))
        self.inside: nn.Module = Hourglass(depth - 1) if depth > 1 else Block(CHANNELS, CHANNELS)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 256, H, W) to the same shape; H and W are multiples of 2 ** depth."""
        inner = self.up(self.inside(self.down(nn.functional.avg_pool2d(x, 2))))
        y: Tensor = self.aside(x) + nn.functional.interpolate(inner, scale_factor=2.0, mode="nearest")
        return y


class _Stack(nn.Module):
    """An hourglass, what is read from it, and what the next one is told."""

    def __init__(self, last: bool) -> None:
        super().__init__()
        self.hourglass = Hourglass(DEPTH)
        self.top = Block(CHANNELS, CHANNELS)
        self.end = nn.Sequential(nn.Conv2d(CHANNELS, CHANNELS, 1), nn.BatchNorm2d(CHANNELS), nn.ReLU())
        self.maps = nn.Conv2d(CHANNELS, LANDMARKS, 1)
        self.features: nn.Module | None = None if last else nn.Conv2d(CHANNELS, CHANNELS, 1)
        self.places: nn.Module | None = None if last else nn.Conv2d(LANDMARKS, CHANNELS, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        end = self.end(self.top(self.hourglass(x)))
        maps = self.maps(end)
        told = x if self.features is None or self.places is None else x + self.features(end) + self.places(maps)
        return maps, told


class FAN(nn.Module):
    """Faces (N, 3, 256, 256) in [0, 1] to the maps of the last hourglass, (N, 68, 64, 64)."""

    def __init__(self, stacks: int = 4) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3), nn.BatchNorm2d(64), nn.ReLU(), Block(64, 128))
        self.widen = nn.Sequential(Block(128, 128), Block(128, CHANNELS))
        self.stacks = nn.ModuleList(_Stack(number == stacks - 1) for number in range(stacks))

    def forward(self, faces: Tensor) -> Tensor:
        """Pass faces of any size of which 64 is a divisor."""
        x = self.widen(nn.functional.avg_pool2d(self.stem(faces), 2))
        maps = x
        for stack in self.stacks:
            maps, x = stack(x)
        last: Tensor = maps
        return last


def places(maps: Tensor) -> Tensor:
    """Return where each map is highest, (N, 68, 2), as x and y in pixels of the input: a quarter towards the slope."""
    width = maps.shape[3]
    best = maps.flatten(2).argmax(2)
    y, x = best // width, best % width
    padded = nn.functional.pad(maps, (1, 1, 1, 1), mode="replicate").flatten(2)
    middle = (y + 1) * (width + 2) + x + 1

    def at(offset: int) -> Tensor:
        return padded.gather(2, (middle + offset)[..., None])[..., 0]

    slopes = torch.stack([at(1) - at(-1), at(width + 2) - at(-width - 2)], 2)
    scale = SIDE / MAP_SIDE
    return (torch.stack([x, y], 2) + 0.25 * torch.sign(slopes) + 0.5) * scale
