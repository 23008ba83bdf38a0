"""AV-HuBERT's encoder, rebuilt from its published layer shapes: mouths or sound to unit vectors in one space.

After Shi et al., "Learning audio-visual speech representation by masked multimodal cluster prediction" (ICLR 2022),
used as SpeechForensics uses it: one modality at a time, with zeros in place of what the other's front-end would have
said. The names of the parameters are those of the published state dict; its sizes are read off the tensors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from engines.nets.memory import Memory, StreamNet, state_size
from engines.nets.resnet import MouthNet

MOUTH = 88
BANDS = 104
MEAN, DEVIATION = 0.421, 0.165
HEAD_SIZE = 64
Modality = Literal["lips", "voice"]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Geometry of the transformer: BASE is 768, 12 layers, 3072; LARGE 1024, 24 layers, 4096."""

    width: int
    layers: int
    inner: int
    kernel: int = 128
    groups: int = 16

    @property
    def heads(self) -> int:
        """Heads of attention, 64 wide in every published model."""
        return max(self.width // HEAD_SIZE, 1)


def sizes_of(tensors: Mapping[str, Tensor]) -> Sizes:
    """Read the geometry off a state dict; raises `KeyError` for a name that is missing."""
    width = tensors["post_extract_proj.weight"].shape[0]
    layers = len({name.split(".")[2] for name in tensors if name.startswith("encoder.layers.")})
    kernel = tensors["encoder.pos_conv.0.weight_v"]
    inner = tensors["encoder.layers.0.fc1.weight"].shape[0]
    return Sizes(width, layers, inner, kernel.shape[2], width // kernel.shape[1])


class AvHubertLips(StreamNet):
    """Grey mouths (B, T, 88, 88) in [0, 1] to (B, T, width), late by `reach` when streamed."""

    reach = MouthNet.reach

    def __init__(self, width: int) -> None:
        super().__init__()
        self.resnet = MouthNet(nn.PReLU)
        self.proj = nn.Linear(512, width)
        self.state_size = state_size(self.encode, torch.zeros(1, 1, MOUTH, MOUTH))

    def encode(self, mouth: Tensor, memory: Memory) -> Tensor:
        """Pass mouths, with what the memory says was around them."""
        x: Tensor = self.proj(self.resnet((mouth - MEAN) / DEVIATION, memory))
        return x


class AvHubertVoice(nn.Module):
    """Filterbank steps (B, T, 104) to (B, T, width); it sees one step at a time."""

    reach = 0
    state_size = 0

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Linear(BANDS, width)

    def forward(self, fbank: Tensor) -> Tensor:
        """Encode any number of steps."""
        x: Tensor = self.proj(fbank)
        return x


class AvHubertContext(nn.Module):
    """What a front said over a window (B, T, width), with its mask (B, T), to unit vectors (B, T, width)."""

    def __init__(self, sizes: Sizes, modality: Modality) -> None:
        super().__init__()
        self.modality = modality
        self.layer_norm = nn.LayerNorm(2 * sizes.width)
        self.post_extract_proj = nn.Linear(2 * sizes.width, sizes.width)
        self.encoder = _Encoder(sizes)

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Frames where `mask` is 0 are as beyond the ends of a clip: nothing is read from them."""
        silent = torch.zeros_like(frames)
        both = [silent, frames] if self.modality == "lips" else [frames, silent]
        x = self.post_extract_proj(self.layer_norm(torch.cat(both, 2)))
        return nn.functional.normalize(self.encoder(x, mask), dim=-1)


class _Encoder(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.pos_conv = nn.Sequential(_PositionConv(sizes))
        self.layers = nn.ModuleList(_Layer(sizes) for _ in range(sizes.layers))
        self.layer_norm = nn.LayerNorm(sizes.width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x * mask[..., None]
        x = x + self.pos_conv(x)
        for layer in self.layers:
            x = layer(x, mask)
        y: Tensor = self.layer_norm(x)
        return y


class _PositionConv(nn.Module):
    """Position encoding by a grouped convolution, weight-normalised tap by tap (a direction and a length)."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.groups, self.kernel = sizes.groups, sizes.kernel
        self.weight_g = nn.Parameter(torch.ones(1, 1, sizes.kernel))
        self.weight_v = nn.Parameter(torch.randn(sizes.width, sizes.width // sizes.groups, sizes.kernel) * 0.02)
        self.bias = nn.Parameter(torch.zeros(sizes.width))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight_v * (self.weight_g / self.weight_v.pow(2).sum((0, 1), keepdim=True).sqrt())
        # An even kernel has one frame more on the left than on the right: "same" without the last.
        left = self.kernel // 2
        padded = nn.functional.pad(x.transpose(1, 2), (left, self.kernel - 1 - left))
        moved = nn.functional.conv1d(padded, weight, self.bias, groups=self.groups)
        return nn.functional.gelu(moved).transpose(1, 2)


class _Layer(nn.Module):
    """Attention, then two linear maps, each normalised before and beside a straight line."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.self_attn = _Attention(sizes)
        self.self_attn_layer_norm = nn.LayerNorm(sizes.width)
        self.fc1 = nn.Linear(sizes.width, sizes.inner)
        self.fc2 = nn.Linear(sizes.inner, sizes.width)
        self.final_layer_norm = nn.LayerNorm(sizes.width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x + self.self_attn(self.self_attn_layer_norm(x), mask)
        y: Tensor = x + self.fc2(nn.functional.gelu(self.fc1(self.final_layer_norm(x))))
        return y


class _Attention(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.heads = sizes.heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(sizes.width, sizes.width) for _ in range(4))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        q, k, v = (self._split(project(x)) for project in (self.q_proj, self.k_proj, self.v_proj))
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3])
        weights = torch.softmax(scores + (mask[:, None, None] - 1) * 1e9, 3)
        y: Tensor = self.out_proj((weights @ v).transpose(1, 2).flatten(2))
        return y

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)
