"""What people and calls do to lips and voice, on batches.

Other people: wider mouths, other jaws, other voices (a warped mel axis). Other rooms and microphones: tilt, noise,
somebody else in the background, masked bands. Calls: blurred and re-scaled pictures, held frames, jittered landmarks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engines.training.capture import (
    FLOOR,
    automatic_gain,
    beating_lamp,
    held_pictures,
    hunting_focus,
    lower_bands,
    room,
    smooth_skin,
    suppressed_noise,
    wind,
)


def augment_lips(shape: Tensor, mouth: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """(B, T, 168) and (B, T, 36, 36) in [0, 1], changed alike within a row."""
    shape, mouth = _repeat_pictures(shape, mouth, random)
    return _reshape(shape, random), _picture(mouth, random)


def _rand(random: torch.Generator, *size: int) -> Tensor:
    return torch.rand(size, generator=random)


def _randn(random: torch.Generator, *size: int) -> Tensor:
    return torch.randn(size, generator=random)


def _repeat_pictures(shape: Tensor, mouth: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    source = held_pictures(shape.shape[0], shape.shape[1], random)
    rows = torch.arange(shape.shape[0])[:, None]
    return shape[rows, source], mouth[rows, source]


def _reshape(shape: Tensor, random: torch.Generator) -> Tensor:
    batch, time, size = shape.shape
    points = shape.reshape(batch, time, size // 3, 3)
    # Another person's mouth: stretched, turned a little, each landmark's range its own, the rest position elsewhere.
    turn = torch.eye(3) + 0.06 * _randn(random, batch, 1, 3, 3)
    points = points @ turn * (1 + 0.15 * _randn(random, batch, 1, 1, 3))
    points = points * (1 + 0.1 * _randn(random, batch, 1, size // 3, 1)) + 0.015 * _randn(
        random, batch, 1, size // 3, 3
    )
    jitter = 0.01 * _rand(random, batch, 1, 1, 1) ** 2
    return (points + jitter * _randn(random, batch, time, size // 3, 3)).reshape(batch, time, size)


def _picture(mouth: Tensor, random: torch.Generator) -> Tensor:
    batch, time, side = mouth.shape[:3]
    angle = 0.15 * _randn(random, batch)
    zoom = 1 + 0.12 * _randn(random, batch, 2)
    flip = torch.where(_rand(random, batch) < 0.5, -1.0, 1.0)
    cos, sin = angle.cos(), angle.sin()
    move = 0.1 * _randn(random, batch, 2)
    first = torch.stack([cos * zoom[:, 0] * flip, -sin * zoom[:, 1], move[:, 0]], 1)
    second = torch.stack([sin * zoom[:, 0] * flip, cos * zoom[:, 1], move[:, 1]], 1)
    grid = torch.nn.functional.affine_grid(
        torch.stack([first, second], 1), [batch, time, side, side], align_corners=False
    )
    mouth = torch.nn.functional.grid_sample(mouth, grid, padding_mode="border", align_corners=False)
    # Small faces and low bitrates: the whole batch shares a size, a third of its rows take it.
    small = int(torch.randint(11, 26, (1,), generator=random))
    blurred = torch.nn.functional.interpolate(mouth, (small, small), mode="area")
    blurred = torch.nn.functional.interpolate(blurred, (side, side), mode="bilinear", align_corners=False)
    mouth = hunting_focus(mouth, blurred, random)
    mouth = torch.where(_rand(random, batch, 1, 1, 1) < 0.35, blurred, mouth)
    mouth = beating_lamp(smooth_skin(mouth, random), random)
    gamma = torch.exp(0.25 * _randn(random, batch, 1, 1, 1))
    mouth = mouth.clamp(1e-4, 1) ** gamma
    return mouth + _rand(random, batch, 1, 1, 1) ** 3 * 0.06 * _randn(random, batch, time, side, side)


def augment_voice(mel: Tensor, random: torch.Generator) -> Tensor:
    """Log-mel (B, T, 4, 80): another voice, another room, another microphone."""
    batch, time, frames, bands = mel.shape
    mel = room(_warp(mel, random), random)
    ramp = torch.linspace(-1, 1, bands)
    gain = (_rand(random, batch, 1, 1, 1) - 0.6) * 4
    curve = torch.nn.functional.interpolate(0.8 * _randn(random, batch, 1, 6), bands, mode="linear", align_corners=True)
    mel = torch.logaddexp(mel + gain + curve[:, :, None], torch.tensor(FLOOR))
    # Somebody else speaks in the background: another row of the batch, 5 to 20 dB down.
    other = mel.roll(1, 0) - 1.2 - 3.5 * _rand(random, batch, 1, 1, 1)
    mel = torch.where(_rand(random, batch, 1, 1, 1) < 0.25, torch.logaddexp(mel, other), mel)
    level = mel.amax((1, 2, 3), keepdim=True) - 4 - 10 * _rand(random, batch, 1, 1, 1)
    noise = level + 1.5 * _randn(random, batch, 1, 1, 1) * ramp + 0.5 * _randn(random, batch, time, frames, bands)
    mel = torch.where(_rand(random, batch, 1, 1, 1) < 0.5, torch.logaddexp(mel, noise), mel)
    mel = lower_bands(automatic_gain(suppressed_noise(wind(mel, random), random), random), random)
    first = _rand(random, batch, 1, 1, 1) * bands
    width = _rand(random, batch, 1, 1, 1) * 16 * (_rand(random, batch, 1, 1, 1) < 0.5)
    at = torch.arange(bands)
    return torch.where((at >= first) & (at < first + width), mel.mean((1, 2, 3), keepdim=True), mel)


def _warp(mel: Tensor, random: torch.Generator) -> Tensor:
    """Vocal tract length perturbation: each row's mel axis stretched by up to 15 %."""
    bands = mel.shape[-1]
    factor = 1 + 0.3 * (_rand(random, mel.shape[0], 1) - 0.5)
    at = (torch.arange(bands) * factor).clamp(0, bands - 1.001)
    low = at.long()
    weight = (at - low)[:, None, None]
    shape = (*mel.shape[:3], bands)
    below = mel.gather(3, low[:, None, None].expand(shape))
    above = mel.gather(3, (low + 1)[:, None, None].expand(shape))
    return below * (1 - weight) + above * weight
