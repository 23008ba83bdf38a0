"""A diffusion transformer over how a face moves, conditioned on the voice and, by a few adapter tokens, on the person.

After ExposeAnyone (2026): expressions are denoised given the voice; a person is the difference that their tokens make
to the error. Three seconds at 25 Hz are cut into patches of frames, since attention over 25 tokens is what fits a live
call; the adapter tokens are read by every block as further keys and values, so that fitting them touches all of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from engines.base import MOTION_WINDOW_STEPS

VOICE = 128
# Features are clamped to so many deviations: a tracker that slips must not be all that an error shows.
CLAMP_DEVIATIONS = 8.0
TARGETS = ("v", "x0")
_FREQUENCIES = 32
_BLOCKED = -1e4


@dataclass(frozen=True, slots=True)
class PersonaSize:
    """What a network looks like, whatever it sees: `tokens` P of `token_size` d; `patch` frames are one place.

    `target` is what the last layer speaks of: "v" (the noisy window is passed on, in the share that is clean)
    or "x0" (the clean window itself). `pooled` lets the mean of the tokens into the modulation of every block too.
    """

    width: int = 128
    depth: int = 4
    heads: int = 4
    patch: int = 3
    expand: int = 3
    tokens: int = 8
    token_size: int = 64
    target: str = "v"
    pooled: bool = True
    dropout: float = 0.0

    def __post_init__(self) -> None:
        """Raise `ValueError` for what does not divide."""
        if MOTION_WINDOW_STEPS % self.patch or self.width % self.heads:
            raise ValueError(
                f"the patch must divide {MOTION_WINDOW_STEPS}, and the heads the width: {self.patch}, {self.heads}"
            )
        if self.target not in TARGETS:
            raise ValueError(f"unknown target {self.target!r}: there is {', '.join(TARGETS)}")


@dataclass(frozen=True, slots=True)
class PersonaShape(PersonaSize):
    """What a network looks like that sees `features` M a step."""

    features: int = field(kw_only=True)


def schedule(timestep: Tensor) -> tuple[Tensor, Tensor]:
    """Shares (N, 1, 1) of the clean window and of noise at `timestep` (N, 1) in 0..1: the cosine schedule."""
    angle = timestep[:, :, None] * (math.pi / 2)
    return torch.cos(angle), torch.sin(angle)


class Persona(nn.Module):
    """Denoises windows (N, 75, M) in units of one deviation, given voice, mask, tokens and timestep."""

    def __init__(self, shape: PersonaShape) -> None:
        super().__init__()
        self.shape = shape
        width, places = shape.width, MOTION_WINDOW_STEPS // shape.patch
        self.motion = nn.Linear(shape.patch * (shape.features + 1), width)
        self.voice = nn.Linear(shape.patch * VOICE, width)
        self.place = nn.Parameter(torch.randn(1, places, width) * 0.02)
        self.time = nn.Sequential(nn.Linear(2 * _FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width))
        self.pooled = nn.Linear(shape.token_size, width) if shape.pooled else None
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.depth))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.last_modulation = nn.Linear(width, 2 * width)
        self.last = nn.Linear(width, shape.patch * shape.features)
        for layer in (self.last_modulation, self.last):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        rates = torch.exp(-math.log(1000.0) * torch.arange(_FREQUENCIES) / _FREQUENCIES) * 100
        self.register_buffer("rates", rates, persistent=False)
        self.rates: Tensor

    def forward(self, noisy: Tensor, voice: Tensor, mask: Tensor, tokens: Tensor, timestep: Tensor) -> Tensor:
        """Give the clean windows (N, 75, M): noisy (N, 75, M), voice (N, 75, 128), mask (N, 75), tokens (N, P, d).

        `timestep` (N, 1) is 0 for clean and 1 for nothing but noise.
        """
        x, angle, bias = self.enter(noisy, voice, mask, timestep)
        condition = self.time(angle)
        if self.pooled is not None:
            condition = condition + self.pooled(tokens.mean(1))
        condition = nn.functional.silu(condition)
        for block in self.blocks:
            x = block(x, condition, tokens, bias)
        shift, scale = self.last_modulation(condition)[:, None, :].chunk(2, 2)
        return self.leave(self.last(self.norm(x) * (1 + scale) + shift), noisy, timestep)

    def enter(self, noisy: Tensor, voice: Tensor, mask: Tensor, timestep: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Make places (N, L, D) of the window, waves (N, 64) of the timestep, and what keeps empty places unseen."""
        places = MOTION_WINDOW_STEPS // self.shape.patch
        there = mask[:, :, None]
        seen = torch.cat([noisy * there, there], 2).reshape(-1, places, self.shape.patch * (self.shape.features + 1))
        heard = nn.functional.layer_norm(voice * there, (VOICE,)).reshape(-1, places, self.shape.patch * VOICE)
        angle = timestep * self.rates
        present = mask.reshape(-1, places, self.shape.patch).amax(2)
        bias = ((1 - present) * _BLOCKED)[:, None, None, :]
        x: Tensor = self.motion(seen) + self.voice(heard) + self.place
        return x, torch.cat([torch.sin(angle), torch.cos(angle)], 1), bias

    def leave(self, last: Tensor, noisy: Tensor, timestep: Tensor) -> Tensor:
        """Make the clean windows (N, 75, M) of what the last layer gave for each place."""
        answer = last.reshape(-1, MOTION_WINDOW_STEPS, self.shape.features)
        if self.shape.target == "x0":
            return answer
        keep, noise = schedule(timestep)
        return keep * noisy - noise * answer


class Block(nn.Module):
    """Attention over places and adapter tokens, then a feed-forward layer for each place; both are modulated."""

    def __init__(self, shape: PersonaShape) -> None:
        super().__init__()
        width = shape.width
        self.heads = shape.heads
        self.modulation = nn.Linear(width, 6 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.own = nn.Linear(width, 3 * width)
        self.person = nn.Linear(shape.token_size, 2 * width)
        self.out = nn.Linear(width, width)
        self.mix = nn.Sequential(
            nn.Linear(width, shape.expand * width),
            nn.GELU("tanh"),
            nn.Dropout(shape.dropout),
            nn.Linear(shape.expand * width, width),
        )

    def forward(self, x: Tensor, condition: Tensor, tokens: Tensor, bias: Tensor) -> Tensor:
        """Give places (N, L, D) again; `condition` (N, D), `tokens` (N, P, d), `bias` (N, 1, 1, L)."""
        parts = self.modulation(condition)[:, None, :].chunk(6, 2)
        x = x + parts[2] * self._attend(self.norm(x) * (1 + parts[1]) + parts[0], tokens, bias)
        changed: Tensor = x + parts[5] * self.mix(self.norm(x) * (1 + parts[4]) + parts[3])
        return changed

    def _attend(self, x: Tensor, tokens: Tensor, bias: Tensor) -> Tensor:
        query, key, value = (self.split(part) for part in self.own(x).chunk(3, 2))
        asked, given = (self.split(part) for part in self.person(tokens).chunk(2, 2))
        inward = query @ key.transpose(2, 3) / math.sqrt(query.shape[3]) + bias
        personal = query @ asked.transpose(2, 3) / math.sqrt(query.shape[3])
        share = torch.softmax(torch.cat([inward, personal], 3), 3)
        found = share @ torch.cat([value, given], 2)
        answer: Tensor = self.out(self.joined(found))
        return answer

    def split(self, x: Tensor) -> Tensor:
        """Give each head its part (N, H, L, D / H) of places (N, L, D)."""
        return x.reshape(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)

    def joined(self, x: Tensor) -> Tensor:
        """Undo `split`."""
        return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], -1)


class Reconstruction(nn.Module):
    """What the pack `persona` computes: the error of a window that was made noisy and denoised again.

    `scale` (M,) is one deviation of each feature; `weight` (M,), of mean 1, is how much each counts.
    """

    def __init__(self, shape: PersonaShape, scale: Tensor | None = None, weight: Tensor | None = None) -> None:
        super().__init__()
        ones = torch.ones(shape.features)
        self.net = Persona(shape)
        self.register_buffer("scale", ones.clone() if scale is None else scale)
        self.register_buffer("weight", ones.clone() if weight is None else weight)
        self.scale: Tensor
        self.weight: Tensor

    def forward(
        self, motion: Tensor, voice: Tensor, mask: Tensor, tokens: Tensor, timestep: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Error (N, 75), zero where masked, and the denoised windows (N, 75, M) in the units of `motion`."""
        clean = self.clean(motion, mask)
        keep, share = schedule(timestep)
        denoised = self.net(keep * clean + share * noise, voice, mask, tokens, timestep)
        error = ((denoised - clean).square() * self.weight).mean(2) * mask
        return error, denoised * self.scale

    def clean(self, motion: Tensor, mask: Tensor) -> Tensor:
        """Bring windows to one size: a tracker that slips for a moment must not be all that an error tells of."""
        return (motion / self.scale).clamp(-CLAMP_DEVIATIONS, CLAMP_DEVIATIONS) * mask[:, :, None]


def window_loss(error: Tensor, mask: Tensor) -> Tensor:
    """Mean error (N, 1) of each window over the steps that are there."""
    return error.sum(1, keepdim=True) / mask.sum(1, keepdim=True).clamp_min(1.0)
