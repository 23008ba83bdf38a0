"""RetinaFace with a ResNet-50: scores, boxes and five points of all anchors of a picture.

After Deng et al., "RetinaFace: Single-stage Dense Face Localisation in the Wild" (CVPR 2020), as those who prepare lips
for readers run it: a pyramid of strides 8, 16 and 32 with 256 channels (Lin et al., CVPR 2017), on each level a context
module (Najibi et al., "SSH", ICCV 2017) and two square anchors a place; no deformable convolutions and no mesh.
"""

from __future__ import annotations

from math import ceil

import torch
from torch import Tensor, nn

CHANNELS = 256
STRIDES = (8, 16, 32)
# Sides of the anchors in pixels, by level.
ANCHOR_SIDES = ((16, 32), (64, 128), (256, 512))
# (width inside, blocks, stride) of each stage, table 1 of He et al. (CVPR 2016); four times as wide outside.
STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
WIDER = 4
# How far an offset of 1 goes: centres in sides of the anchor, sides in powers of e.
CENTRE_SCALE, SIDE_SCALE = 0.1, 0.2


def _unit(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


class Bottleneck(nn.Module):
    """Narrow, filter, widen, beside a straight line."""

    def __init__(self, inputs: int, inside: int, stride: int) -> None:
        super().__init__()
        outputs = WIDER * inside
        self.narrow = _unit(inputs, inside, 1)
        self.filter = _unit(inside, inside, 3, stride)
        self.widen = _unit(inside, outputs, 1)
        self.straight = _unit(inputs, outputs, 1, stride) if stride != 1 or inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, 4 inside, H / stride, W / stride)."""
        y = torch.relu(self.filter(torch.relu(self.narrow(x))))
        return torch.relu(self.widen(y) + self.straight(x))


class ResNet50(nn.Module):
    """Pictures (N, 3, H, W) to the maps of its last three stages: 512, 1024 and 2048 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _unit(3, 64, 7, 2)
        stages: list[nn.Module] = []
        inputs = 64
        for inside, count, stride in STAGES:
            first = Bottleneck(inputs, inside, stride)
            inputs = WIDER * inside
            stages.append(nn.Sequential(first, *(Bottleneck(inputs, inside, 1) for _ in range(count - 1))))
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Give the maps of strides 8, 16 and 32."""
        x = nn.functional.max_pool2d(torch.relu(self.stem(x)), 3, 2, 1)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps[1:]


class Pyramid(nn.Module):
    """Brings the maps to one width and adds to each what those above it say."""

    def __init__(self) -> None:
        super().__init__()
        widths = [WIDER * inside for inside, _, _ in STAGES[1:]]
        self.sides = nn.ModuleList(_unit(width, CHANNELS, 1) for width in widths)
        self.merges = nn.ModuleList(_unit(CHANNELS, CHANNELS, 3) for _ in widths[:-1])

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """From the coarsest down."""
        levels = [torch.relu(side(x)) for side, x in zip(self.sides, maps, strict=True)]
        for number in reversed(range(len(self.merges))):
            above = nn.functional.interpolate(levels[number + 1], size=levels[number].shape[2:], mode="nearest")
            levels[number] = torch.relu(self.merges[number](levels[number] + above))
        return levels


class Context(nn.Module):
    """Sees 3, 5 and 7 places around each, by one, two and three filters of 3."""

    def __init__(self) -> None:
        super().__init__()
        half, quarter = CHANNELS // 2, CHANNELS // 4
        self.three = _unit(CHANNELS, half, 3)
        self.shared = _unit(CHANNELS, quarter, 3)
        self.five = _unit(quarter, quarter, 3)
        self.seven = nn.Sequential(_unit(quarter, quarter, 3), nn.ReLU(), _unit(quarter, quarter, 3))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 256, H, W) to the same shape."""
        shared = torch.relu(self.shared(x))
        return torch.relu(torch.cat([self.three(x), self.five(shared), self.seven(shared)], 1))


class RetinaFace(nn.Module):
    """Pictures (N, 3, H, W), channels less their means, to what is said of each of the A anchors.

    That is the share of a face (N, A), offsets of the box (N, A, 4) and of five points (N, A, 10).
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk = ResNet50()
        self.pyramid = Pyramid()
        self.contexts = nn.ModuleList(Context() for _ in STRIDES)
        self.faces, self.boxes, self.points = (
            nn.ModuleList(nn.Conv2d(CHANNELS, len(sides) * numbers, 1) for sides in ANCHOR_SIDES)
            for numbers in (2, 4, 10)
        )

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pass pictures of any size."""
        levels = self.pyramid(self.trunk(pictures))
        seen = [context(level) for context, level in zip(self.contexts, levels, strict=True)]
        faces, boxes, points = (
            torch.cat([_rows(head(x), numbers) for head, x in zip(heads, seen, strict=True)], 1)
            for heads, numbers in ((self.faces, 2), (self.boxes, 4), (self.points, 10))
        )
        return torch.softmax(faces, 2)[..., 1], boxes, points


def _rows(x: Tensor, numbers: int) -> Tensor:
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, numbers)


def anchors(height: int, width: int) -> Tensor:
    """Return the anchors of a picture in the order of the net's answers: (A, 3), the centre x, y and the side."""
    found = []
    for stride, sides in zip(STRIDES, ANCHOR_SIDES, strict=True):
        y, x, side = torch.meshgrid(
            (torch.arange(ceil(height / stride)) + 0.5) * stride,
            (torch.arange(ceil(width / stride)) + 0.5) * stride,
            torch.tensor(sides, dtype=torch.float32),
            indexing="ij",
        )
        found.append(torch.stack([x, y, side], 3).reshape(-1, 3))
    return torch.cat(found)


def decode(of: Tensor, offsets: Tensor) -> Tensor:
    """Return the boxes (N, A, 4) that offsets say of anchors: left, top, right, bottom in pixels."""
    centre = of[:, :2] + CENTRE_SCALE * offsets[..., :2] * of[:, 2:]
    half = of[:, 2:] * torch.exp(SIDE_SCALE * offsets[..., 2:]) / 2
    return torch.cat([centre - half, centre + half], -1)
