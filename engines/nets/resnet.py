"""The residual networks under published lip and speech readers: mouths or samples to 512 numbers a frame.

After Ma et al. (ICASSP 2021) and He et al. (CVPR 2016): a convolution over five frames of mouths, or over 80 samples of
sound, then the eight blocks of an 18-layer residual network. The names of the parameters are those of the published
state dicts.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from engines.nets.memory import Memory

WIDTHS = (64, 128, 256, 512)
STEP = 640
# Makes the activation for a number of channels.
Activation = Callable[[int], nn.Module]


def swish(_: int) -> nn.Module:
    """Give the activation of BRAVEn."""
    return nn.SiLU()


class Block(nn.Module):
    """Two convolutions beside a straight line, in one or two dimensions."""

    def __init__(self, inputs: int, outputs: int, stride: int, act: Activation, flat: bool) -> None:
        super().__init__()
        conv, norm = (nn.Conv1d, nn.BatchNorm1d) if flat else (nn.Conv2d, nn.BatchNorm2d)
        self.conv1 = conv(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = norm(outputs)
        self.relu1 = act(outputs)
        self.conv2 = conv(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = norm(outputs)
        self.relu2 = act(outputs)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(conv(inputs, outputs, 1, stride, bias=False), norm(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) to (B, C', ...)."""
        straight = x if self.downsample is None else self.downsample(x)
        y: Tensor = self.relu2(self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x))))) + straight)
        return y


class Trunk(nn.Module):
    """Four layers of two blocks: (B, 64, ...) to (B, 512, ...)."""

    def __init__(self, act: Activation, flat: bool = False) -> None:
        super().__init__()
        inputs = WIDTHS[0]
        for number, width in enumerate(WIDTHS, 1):
            stride = 1 if number == 1 else 2
            blocks = nn.Sequential(Block(inputs, width, stride, act, flat), Block(width, width, 1, act, flat))
            self.add_module(f"layer{number}", blocks)
            inputs = width

    def forward(self, x: Tensor) -> Tensor:
        """Pass all four layers."""
        for number in range(1, 5):
            x = self.get_submodule(f"layer{number}")(x)
        return x


class MouthNet(nn.Module):
    """Standardised mouths (B, T, 88, 88) to (B, T, 512); a stream's answer is two frames late."""

    reach = 2

    def __init__(self, act: Activation) -> None:
        super().__init__()
        first = nn.Conv3d(1, WIDTHS[0], (5, 7, 7), (1, 2, 2), (0, 3, 3), bias=False)
        self.frontend3D = nn.Sequential(first, nn.BatchNorm3d(WIDTHS[0]), act(WIDTHS[0]))
        self.trunk = Trunk(act)

    def forward(self, mouth: Tensor, memory: Memory) -> Tensor:
        """Encode a clip, or the next frames of a stream."""
        x = self.frontend3D(memory.around(mouth[:, None], 4, 2))
        x = nn.functional.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
        batch, channels, time, height, width = x.shape
        frames = x.transpose(1, 2).reshape(batch * time, channels, height, width)
        seen: Tensor = self.trunk(frames)
        return seen.mean((2, 3)).reshape(batch, time, -1)


class SoundNet(nn.Module):
    """Samples (B, T, 640) to (B, T, 512); a stream's answer is one step late.

    A frame sees 252 samples beyond its own at most, so one step of 640 on either side is enough, and the network is
    passed with these over a stream.
    """

    reach = 1

    def __init__(self, act: Activation) -> None:
        super().__init__()
        self.trunk = _SoundTrunk(act)

    def forward(self, wave: Tensor, memory: Memory) -> Tensor:
        """Encode a clip, or the next steps of a stream."""
        if memory.whole:
            return self._run(wave)
        return self._run(memory.around(wave, 2 * self.reach, 1))[:, self.reach : -self.reach]

    def _run(self, wave: Tensor) -> Tensor:
        return nn.functional.avg_pool1d(self.trunk(wave.flatten(1)[:, None]), STEP // 32).transpose(1, 2)


class _SoundTrunk(Trunk):
    def __init__(self, act: Activation) -> None:
        super().__init__(act, flat=True)
        self.conv1 = nn.Conv1d(1, WIDTHS[0], 80, 4, 38, bias=False)
        self.bn1 = nn.BatchNorm1d(WIDTHS[0])
        self.relu = act(WIDTHS[0])

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.relu(self.bn1(self.conv1(x))))
