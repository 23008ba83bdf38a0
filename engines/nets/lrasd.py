"""The two encoders of LR-ASD, an active speaker detector: faces and MFCCs to 128 numbers, 25 times a second.

After Liao et al., "LR-ASD: Lightweight and Robust Network for Active Speaker Detection" (IJCV 2025): three blocks
each, a convolution over space (or over the cepstrum) and one over time, split into two small kernels. The names of the
parameters are those of the published state dict. Its two outputs do not lie in one space: heads are trained on them
(`engines.training.heads`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engines.nets.memory import Memory, StreamNet, state_size

FACE = 112
MFCC = 13
PER_STEP = 4
SIZE = 128
MEAN, DEVIATION = 0.4161, 0.1688
_WIDTHS = ((1, 32), (32, 64), (64, 128))


class LrAsdFace(StreamNet):
    """Grey faces (B, T, 112, 112) in [0, 1] to (B, T, 128), late by `reach` when streamed."""

    reach = 9

    def __init__(self) -> None:
        super().__init__()
        self.block1, self.block2, self.block3 = (_FaceBlock(*w, down=w[0] == 1) for w in _WIDTHS)
        self.state_size = state_size(self.encode, torch.zeros(1, 1, FACE, FACE))

    def encode(self, face: Tensor, memory: Memory) -> Tensor:
        """Pass faces, with what the memory says was around them."""
        x = (face[:, None] - MEAN) / DEVIATION
        x = _smaller(self.block1(x, memory))
        x = _smaller(self.block2(x, memory))
        seen: Tensor = self.block3(x, memory)
        return seen.amax((3, 4)).transpose(1, 2)


class _FaceBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, down: bool) -> None:
        super().__init__()
        stride = (1, 2, 2) if down else (1, 1, 1)
        half = outputs // 2
        self.s_1 = nn.Conv3d(inputs, half, (1, 5, 5), stride, (0, 2, 2), bias=False)
        self.s_norm_1 = nn.BatchNorm3d(half, eps=1e-3)
        self.s_2 = nn.Conv3d(half, outputs, (1, 3, 3), padding=(0, 1, 1), bias=False)
        self.s_norm_2 = nn.BatchNorm3d(outputs, eps=1e-3)
        self.t_1 = nn.Conv3d(outputs, outputs, (5, 1, 1), bias=False)
        self.t_norm_1 = nn.BatchNorm3d(outputs, eps=1e-3)
        self.t_2 = nn.Conv3d(outputs, outputs, (3, 1, 1), bias=False)
        self.t_norm_2 = nn.BatchNorm3d(outputs, eps=1e-3)

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        x = torch.relu(self.s_norm_1(self.s_1(x)))
        x = torch.relu(self.s_norm_2(self.s_2(x)))
        x = torch.relu(self.t_norm_1(self.t_1(memory.around(x, 4, 2))))
        return torch.relu(self.t_norm_2(self.t_2(memory.around(x, 2, 2))))


def _smaller(x: Tensor) -> Tensor:
    return nn.functional.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))


class LrAsdVoice(StreamNet):
    """MFCCs (B, T, 4, 13), four frames a step, to (B, T, 128), late by `reach` when streamed.

    Two poolings halve the rate from 100 to 25 a second. Before each of them a stream waits one frame more than the
    convolutions need, so that pairs of frames stay pairs.
    """

    reach = 6

    def __init__(self) -> None:
        super().__init__()
        self.block1, self.block2, self.block3 = (_VoiceBlock(*w) for w in _WIDTHS)
        self.state_size = state_size(self.encode, torch.zeros(1, 1, PER_STEP, MFCC))

    def encode(self, mfcc: Tensor, memory: Memory) -> Tensor:
        """Pass MFCCs, with what the memory says was around them."""
        x = mfcc.flatten(1, 2).transpose(1, 2)[:, None]
        x = _half(memory.late(self.block1(x, memory), 3), memory)
        x = _half(memory.late(self.block2(x, memory), 3), memory)
        heard: Tensor = self.block3(x, memory)
        return heard.mean(2).transpose(1, 2)


class _VoiceBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.m_1 = nn.Conv2d(inputs, half, (5, 1), padding=(2, 0), bias=False)
        self.m_norm_1 = nn.BatchNorm2d(half, eps=1e-3)
        self.m_2 = nn.Conv2d(half, outputs, (3, 1), padding=(1, 0), bias=False)
        self.m_norm_2 = nn.BatchNorm2d(outputs, eps=1e-3)
        self.t_1 = nn.Conv2d(outputs, outputs, (1, 5), bias=False)
        self.t_norm_1 = nn.BatchNorm2d(outputs, eps=1e-3)
        self.t_2 = nn.Conv2d(outputs, outputs, (1, 3), bias=False)
        self.t_norm_2 = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        x = torch.relu(self.m_norm_1(self.m_1(x)))
        x = torch.relu(self.m_norm_2(self.m_2(x)))
        x = torch.relu(self.t_norm_1(self.t_1(memory.around(x, 4, 3))))
        return torch.relu(self.t_norm_2(self.t_2(memory.around(x, 2, 3))))


def _half(x: Tensor, memory: Memory) -> Tensor:
    return nn.functional.max_pool2d(memory.before(x, 3, float("-inf")), (1, 3), (1, 2))
