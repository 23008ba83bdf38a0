"""The encoders of BRAVEn and RAVEn, rebuilt from the published layout: mouths, or samples of sound, to vectors.

After Haliassos et al., "Jointly learning visual and auditory speech representations from raw data" (ICLR 2023) and
"BRAVEn" (ICASSP 2024): a residual network, then a transformer with relative positions (Dai et al. 2019), normalised
before each part, its feed-forward part by a batch normalisation, with a learnt scale on every branch. The names of the
parameters are those of the published state dict; sizes are read off the tensors. Lips and voice are encoded by two
separate networks whose outputs do not lie in one space: heads are trained on them (`engines.training.heads`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engines.nets.memory import Memory, StreamNet, state_size
from engines.nets.resnet import STEP, MouthNet, SoundNet, swish

MOUTH = 88
MEAN, DEVIATION = 0.421, 0.165
FRONT = 512
EPS = 1e-12


@dataclass(frozen=True, slots=True)
class Sizes:
    """Geometry of a transformer: Base is 512, 12 layers, 8 heads, 2048; Large 1024, 24, 16, 4096."""

    width: int
    layers: int
    heads: int
    inner: int
    batch_norm: bool = True
    scaled: bool = True


def sizes_of(tensors: Mapping[str, Tensor]) -> Sizes:
    """Read the geometry off a state dict; raises `KeyError` for a name that is missing."""
    return Sizes(
        tensors["embed.0.weight"].shape[0],
        len({name.split(".")[1] for name in tensors if name.startswith("encoders.")}),
        tensors["encoders.0.self_attn.pos_bias_u"].shape[0],
        tensors["encoders.0.feed_forward.w_1.weight"].shape[0],
        "encoders.0.norm_ff.running_mean" in tensors,
        "encoders.0.gamma_ff" in tensors,
    )


class BravenLips(StreamNet):
    """Grey mouths (B, T, 88, 88) in [0, 1] to (B, T, 512), late by `reach` when streamed."""

    reach = MouthNet.reach

    def __init__(self) -> None:
        super().__init__()
        self.frontend = MouthNet(swish)
        self.state_size = state_size(self.encode, torch.zeros(1, 1, MOUTH, MOUTH))

    def encode(self, mouth: Tensor, memory: Memory) -> Tensor:
        """Pass mouths, with what the memory says was around them."""
        x: Tensor = self.frontend((mouth - MEAN) / DEVIATION, memory)
        return x


class BravenVoice(StreamNet):
    """Samples (B, T, 640) in [-1, 1] to (B, T, 512), late by `reach` when streamed."""

    reach = SoundNet.reach

    def __init__(self) -> None:
        super().__init__()
        self.frontend = SoundNet(swish)
        self.state_size = 2 * self.reach * STEP

    def encode(self, wave: Tensor, memory: Memory) -> Tensor:
        """Pass samples, with what the memory says was around them."""
        x: Tensor = self.frontend(wave, memory)
        return x


class BravenContext(nn.Module):
    """What a front said over a window (B, T, 512), with its mask (B, T), to vectors (B, T, width)."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.width = sizes.width
        self.embed = nn.Sequential(nn.Linear(FRONT, sizes.width))
        self.encoders = nn.ModuleList(_Layer(sizes) for _ in range(sizes.layers))
        self.after_norm = nn.LayerNorm(sizes.width, eps=EPS)

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Nobody attends to frames where `mask` is 0."""
        x = self.embed(frames) * math.sqrt(self.width)
        places = relative_places(frames.shape[1], self.width, frames)
        for layer in self.encoders:
            x = layer(x, places, mask)
        return nn.functional.normalize(self.after_norm(x), dim=-1)


def relative_places(time: int, width: int, like: Tensor) -> Tensor:
    """Sines and cosines of the distances time - 1 .. 1 - time, (2 time - 1, width)."""
    distance = torch.arange(2 * time - 1, device=like.device, dtype=like.dtype) * -1 + (time - 1)
    pace = torch.exp(torch.arange(0, width, 2, device=like.device, dtype=like.dtype) * (-math.log(10000.0) / width))
    angle = distance[:, None] * pace
    return torch.stack([angle.sin(), angle.cos()], 2).flatten(1)


class _Layer(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.self_attn = _Attention(sizes)
        self.feed_forward = _FeedForward(sizes)
        self.norm_mha = nn.LayerNorm(sizes.width, eps=EPS)
        self.norm_ff: nn.Module = (
            nn.BatchNorm1d(sizes.width) if sizes.batch_norm else nn.LayerNorm(sizes.width, eps=EPS)
        )
        self.batch_norm = sizes.batch_norm
        if sizes.scaled:
            self.gamma_mha = nn.Parameter(torch.ones(sizes.width))
            self.gamma_ff = nn.Parameter(torch.ones(sizes.width))
        self.scaled = sizes.scaled

    def forward(self, x: Tensor, places: Tensor, mask: Tensor) -> Tensor:
        heard = self.self_attn(self.norm_mha(x), places, mask)
        x = x + (self.gamma_mha * heard if self.scaled else heard)
        level = self.norm_ff(x.transpose(1, 2)).transpose(1, 2) if self.batch_norm else self.norm_ff(x)
        found = self.feed_forward(level)
        y: Tensor = x + (self.gamma_ff * found if self.scaled else found)
        return y


class _FeedForward(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.w_1 = nn.Linear(sizes.width, sizes.inner)
        self.w_2 = nn.Linear(sizes.inner, sizes.width)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.w_2(torch.relu(self.w_1(x)))
        return y


class _Attention(nn.Module):
    """Attention by content and by distance (Dai et al. 2019, section 3.3)."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.heads, self.size = sizes.heads, sizes.width // sizes.heads
        self.linear_q, self.linear_k, self.linear_v, self.linear_out = (
            nn.Linear(sizes.width, sizes.width) for _ in range(4)
        )
        self.linear_pos = nn.Linear(sizes.width, sizes.width, bias=False)
        self.pos_bias_u = nn.Parameter(torch.zeros(sizes.heads, self.size))
        self.pos_bias_v = nn.Parameter(torch.zeros(sizes.heads, self.size))

    def forward(self, x: Tensor, places: Tensor, mask: Tensor) -> Tensor:
        q, k, v = (self._split(project(x)) for project in (self.linear_q, self.linear_k, self.linear_v))
        p = self._split(self.linear_pos(places)[None])
        by_content = (q + self.pos_bias_u[:, None]) @ k.transpose(2, 3)
        by_distance = _shifted((q + self.pos_bias_v[:, None]) @ p.transpose(2, 3))
        scores = (by_content + by_distance) / math.sqrt(self.size)
        weights = torch.softmax(scores + (mask[:, None, None] - 1) * 1e9, 3)
        y: Tensor = self.linear_out((weights @ v).transpose(1, 2).flatten(2))
        return y

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], x.shape[1], self.heads, self.size).transpose(1, 2)


def _shifted(scores: Tensor) -> Tensor:
    """From (B, H, T, 2T - 1) by distance to (B, H, T, T) by place: row i, column j is distance i - j."""
    time = scores.shape[2]
    at = torch.arange(time, device=scores.device)
    index = at[None] - at[:, None] + (time - 1)
    return scores.gather(3, index[None, None].expand(scores.shape[0], scores.shape[1], -1, -1))
