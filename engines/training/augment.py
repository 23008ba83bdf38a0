"""What a call does to lips and voice, on batches: re-scaled and blurred pictures, repeated frames, jittered landmarks, noise, gain."""

from __future__ import annotations

import torch
from torch import Tensor

_FLOOR = float(torch.log(torch.tensor(1e-6)))


def augment_lips(shape: Tensor, mouth: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """(B, T, 168) and (B, T, 36, 36) in [0, 1], changed alike within a row."""
    batch, time = shape.shape[:2]
    chance = torch.rand(batch, 5, generator=random)
    shape = shape + torch.randn(shape.shape, generator=random) * (chance[:, 0] * 0.008)[:, None, None]
    # A mouth a little wider, higher or more open than another's is still the same word.
    shape = shape * (1 + 0.15 * torch.randn(batch, 1, shape.shape[2], generator=random) * (chance[:, 0:1, None] > 0.5))
    shape = shape + 0.01 * torch.randn(batch, 1, shape.shape[2], generator=random)
    mouth = mouth.clone()
    for row in range(batch):
        if chance[row, 1] < 0.4:
            side = int(torch.randint(12, 30, (1,), generator=random))
            small = torch.nn.functional.interpolate(mouth[row, None], (side, side), mode="area")
            mouth[row] = torch.nn.functional.interpolate(small, mouth.shape[-2:], mode="bilinear")[0]
        if chance[row, 2] < 0.5:
            mouth[row] = mouth[row].flip(-1)
        shift = torch.randint(-2, 3, (2,), generator=random).tolist()
        mouth[row] = torch.roll(mouth[row], shift, (-2, -1))
        if chance[row, 3] < 0.2:
            # A call at half the frame rate: every second picture is held.
            held = torch.arange(time) // 2 * 2
            mouth[row], shape[row] = mouth[row, held], shape[row, held]
    mouth = mouth + torch.randn(mouth.shape, generator=random) * (chance[:, 4] ** 3 * 0.06)[:, None, None, None]
    return shape, mouth


def augment_voice(mel: Tensor, random: torch.Generator) -> Tensor:
    """Log-mel (B, T, 4, 80): gain, a tilted equaliser, stationary noise, and masked bands."""
    batch, _, _, bands = mel.shape
    gain = (torch.rand(batch, 1, 1, 1, generator=random) - 0.6) * 4
    ramp = torch.linspace(-1, 1, bands)[None, None, None]
    tilt = torch.randn(batch, 1, 1, 1, generator=random) * 0.7 * ramp
    out = torch.logaddexp(mel + gain + tilt, torch.full((1,), _FLOOR))
    level = out.amax((1, 2, 3), keepdim=True) - 4 - 10 * torch.rand(batch, 1, 1, 1, generator=random)
    colour = torch.randn(batch, 1, 1, 1, generator=random) * 1.5 * ramp
    noise = level + colour + 0.5 * torch.randn(mel.shape, generator=random)
    noisy = torch.logaddexp(out, noise)
    out = torch.where(torch.rand(batch, 1, 1, 1, generator=random) < 0.5, noisy, out)
    for row in range(batch):
        if float(torch.rand(1, generator=random)) < 0.4:
            first = int(torch.randint(0, bands - 12, (1,), generator=random))
            width = int(torch.randint(3, 13, (1,), generator=random))
            out[row, :, :, first : first + width] = out[row].mean()
    return out
