"""Temporal convolutions that give the same numbers in one piece or piece by piece.

Every layer looks as far ahead as back. Over a whole clip it pads with zeros; over a stream it keeps its last inputs as
state and answers late by its reach, so that each frame passes each layer once. States of all layers travel as one flat
vector per batch row, which is what lets a stream run behind `engines.base.Engine`. Away from the two ends both ways
agree to rounding (tested to 1e-4).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Layer(nn.Module):
    """A temporal layer: time is the axis after the batch; `reach` frames are seen on either side."""

    reach: int
    state_shape: tuple[int, ...]

    def whole(self, x: Tensor) -> Tensor:
        """Pass the whole clip at once, zero-padded."""
        pad = x.new_zeros((x.shape[0], self.reach, *x.shape[2:]))
        return self.valid(torch.cat([pad, x, pad], 1))

    def valid(self, x: Tensor) -> Tensor:
        """Only the frames whose whole neighbourhood is in `x`."""
        raise TypeError(f"{type(self).__name__} is not a layer of its own")

    @property
    def state_size(self) -> int:
        """Numbers of state per batch row."""
        return int(torch.Size((2 * self.reach, *self.state_shape)).numel())

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Pass the next frames of a stream: as many out as in, late by `reach`; also the new state."""
        past = state.reshape(state.shape[0], 2 * self.reach, *self.state_shape)
        joined = torch.cat([past, x], 1)
        return self.valid(joined), joined[:, -2 * self.reach :].reshape(state.shape[0], self.state_size)


class Conv(Layer):
    """Convolution over time of (B, T, C), then normalisation and ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.reach, self.state_shape = kernel // 2, (inputs,)
        self.conv = nn.Conv1d(inputs, outputs, kernel)
        self.norm = nn.BatchNorm1d(outputs)

    def valid(self, x: Tensor) -> Tensor:
        """(B, T + 2 reach, C) to (B, T, C')."""
        return torch.relu(self.norm(self.conv(x.transpose(1, 2)))).transpose(1, 2)


class Residual(Layer):
    """A dilated convolution beside a straight line: (B, T, C) to (B, T, C)."""

    def __init__(self, channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.reach, self.state_shape = dilation, (channels,)
        self.net = nn.Sequential(
            nn.Conv1d(channels, channels, 3, dilation=dilation),
            nn.BatchNorm1d(channels),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Conv1d(channels, channels, 1),
            nn.BatchNorm1d(channels),
        )

    def valid(self, x: Tensor) -> Tensor:
        """(B, T + 2 reach, C) to (B, T, C)."""
        change: Tensor = self.net(x.transpose(1, 2)).transpose(1, 2)
        return torch.relu(x[:, self.reach : x.shape[1] - self.reach] + change)


class Pictures(Layer):
    """The first look at mouth pictures (B, T, H, W): 3-D convolution over 5 frames, then each frame to a vector."""

    def __init__(self, side: int, outputs: int) -> None:
        super().__init__()
        self.reach, self.state_shape = 2, (side, side)
        self.look = nn.Conv3d(1, 24, (5, 5, 5), stride=(1, 2, 2), padding=(0, 2, 2))
        self.norm = nn.BatchNorm3d(24)
        self.down = nn.Sequential(_half(24, 32), _half(32, 64), _half(64, 96))
        self.project = nn.Linear(96 * 9, outputs)

    def valid(self, x: Tensor) -> Tensor:
        """(B, T + 4, H, W) to (B, T, outputs)."""
        y = torch.relu(self.norm(self.look(x[:, None])))
        batch, channels, time, height, width = y.shape
        frames = y.transpose(1, 2).reshape(batch * time, channels, height, width)
        return torch.relu(self.project(self.down(frames).flatten(1))).reshape(batch, time, -1)


def _half(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.BatchNorm2d(outputs), nn.ReLU())


class Tower(nn.Module):
    """Layers in a row and a projection to unit vectors of `size`."""

    def __init__(self, layers: Sequence[Layer], channels: int, size: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.project = nn.Linear(channels, size)

    @property
    def reach(self) -> int:
        """Frames that an answer waits for."""
        return sum(layer.reach for layer in self._rows())

    @property
    def state_size(self) -> int:
        """Numbers of state per batch row."""
        return sum(layer.state_size for layer in self._rows())

    def _rows(self) -> list[Layer]:
        return [layer for layer in self.layers if isinstance(layer, Layer)]

    def forward(self, x: Tensor) -> Tensor:
        """Pass the whole clip: (B, T, ...) to unit vectors (B, T, size)."""
        return self.both(x)[0]

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Give unit vectors (B, T, size) of the whole clip, and what they were projected from, (B, T, channels)."""
        for layer in self._rows():
            x = layer.whole(x)
        return nn.functional.normalize(self.project(x), dim=-1), x

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Pass the next frames of a stream: unit vectors late by `reach` frames, and the new state."""
        states, at = [], 0
        for layer in self._rows():
            x, new = layer.step(x, state[:, at : at + layer.state_size])
            states.append(new)
            at += layer.state_size
        return nn.functional.normalize(self.project(x), dim=-1), torch.cat(states, 1)
