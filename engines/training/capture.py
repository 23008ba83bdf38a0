"""What phones and webcams do to lips and voice before a call does anything, on batches.

Pictures: low and uneven frame rates, focus that hunts, lamps that beat with a rolling shutter, smoothed skin.
Sound: rooms, wind, automatic gain, noise suppression, and codecs that keep the lower bands only.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv1d, interpolate

FLOOR = -13.815511  # the logarithm of the front-end's 1e-6
# Steps of 25 Hz for which a picture is held: a camera of 25, 15, 12.5 or 10 pictures a second.
HELD_STEPS = (1.0, 25 / 15, 2.0, 2.5)
HELD_SHARES = (0.6, 0.15, 0.15, 0.1)
MEL_HZ = 100
TAIL_FRAMES = 40


def chance(random: torch.Generator, batch: int, share: float, axes: int) -> Tensor:
    """Choose rows, each by a chance of its own: (B, 1, ...) with `axes` axes."""
    return torch.rand([batch] + [1] * (axes - 1), generator=random) < share


def uniform(random: torch.Generator, batch: int, low: float, high: float, axes: int) -> Tensor:
    """Draw a number for each row: (B, 1, ...) with `axes` axes."""
    return low + (high - low) * torch.rand([batch] + [1] * (axes - 1), generator=random)


def held_pictures(batch: int, steps: int, random: torch.Generator) -> Tensor:
    """For each step (B, T) the step whose picture is still shown, at the frame rates of cameras."""
    picks = torch.multinomial(torch.tensor(HELD_SHARES), batch, replacement=True, generator=random)
    held = torch.tensor(HELD_STEPS)[picks][:, None]
    phase = torch.rand((batch, 1), generator=random) * held
    at = torch.arange(steps)[None]
    shown = torch.ceil(torch.floor((at + phase) / held) * held - phase)
    return torch.minimum(shown.long(), at).clamp(min=0)


def wandering(batch: int, steps: int, points: int, random: torch.Generator) -> Tensor:
    """Draw a slow curve between 0 and 1 for each row, (B, T), through `points` random places."""
    drawn = torch.rand((batch, 1, points), generator=random)
    return interpolate(drawn, steps, mode="linear", align_corners=True)[:, 0]


def hunting_focus(mouth: Tensor, blurred: Tensor, random: torch.Generator) -> Tensor:
    """Let an eighth of the rows (B, T, H, W) go out of focus and come back."""
    batch, steps = mouth.shape[:2]
    depth = (2 * wandering(batch, steps, 4, random) - 0.6).clamp(0, 1)[..., None, None]
    return torch.where(chance(random, batch, 0.125, 4), torch.lerp(mouth, blurred, depth), mouth)


def beating_lamp(mouth: Tensor, random: torch.Generator) -> Tensor:
    """Let bands of light and dark move over a sixth of the rows, as lamps and a rolling shutter make them."""
    batch, steps, side = mouth.shape[:3]
    down = torch.arange(side)[None, None, :, None] / side
    time = torch.arange(steps)[None, :, None, None]
    phase = uniform(random, batch, 0, 2 * math.pi, 4)
    waves = uniform(random, batch, 0.3, 2.5, 4) * down + uniform(random, batch, -0.4, 0.4, 4) * time
    light = 1 + uniform(random, batch, 0.02, 0.15, 4) * torch.sin(2 * math.pi * waves + phase)
    return torch.where(chance(random, batch, 1 / 6, 4), (mouth * light).clamp(0, 1), mouth)


def smooth_skin(mouth: Tensor, random: torch.Generator) -> Tensor:
    """Take small differences out of a seventh of the rows and keep edges, as beauty filters do."""
    batch, steps, side = mouth.shape[:3]
    even = avg_pool2d(mouth.reshape(batch * steps, 1, side, side), 5, 1, 2, count_include_pad=False).view_as(mouth)
    detail = mouth - even
    kept = detail.abs() / (detail.abs() + uniform(random, batch, 0.01, 0.08, 4))
    return torch.where(chance(random, batch, 1 / 7, 4), even + detail * kept, mouth)


def room(mel: Tensor, random: torch.Generator) -> Tensor:
    """Give a quarter of the rows of log-mel (B, T, 4, M) the tail of a room: energies that fade over .1 to .8 s."""
    batch, steps, frames, bands = mel.shape
    fade = torch.exp(-13.8 * torch.arange(1, TAIL_FRAMES + 1)[None] / MEL_HZ / uniform(random, batch, 0.1, 0.8, 2))
    tail = fade * uniform(random, batch, 0.02, 0.3, 2)
    energy = mel.reshape(batch, steps * frames, bands).transpose(1, 2).exp()
    padded = torch.nn.functional.pad(energy.transpose(0, 1), (TAIL_FRAMES, 0))[..., :-1]
    late = conv1d(padded, tail.flip(1)[:, None], groups=batch).transpose(0, 1)
    wet = torch.log(energy + late).transpose(1, 2).reshape(mel.shape)
    return torch.where(chance(random, batch, 0.25, 4), wet, mel)


def wind(mel: Tensor, random: torch.Generator) -> Tensor:
    """Blow into a tenth of the rows: gusts in the low bands."""
    batch, steps, frames, bands = mel.shape
    gusts = wandering(batch, steps * frames, 7, random).reshape(batch, steps, frames, 1)
    slope = torch.arange(bands) * uniform(random, batch, 0.1, 0.4, 4)
    level = mel.amax((1, 2, 3), keepdim=True) + uniform(random, batch, -3, 1, 4)
    return torch.where(chance(random, batch, 0.1, 4), torch.logaddexp(mel, level + 8 * (gusts - 1) - slope), mel)


def automatic_gain(mel: Tensor, random: torch.Generator) -> Tensor:
    """Turn a quarter of the rows up where they are quiet and down where they are loud, slowly."""
    batch, steps, frames, _ = mel.shape
    level = mel.mean(-1).reshape(batch, 1, steps * frames)
    slow = torch.nn.functional.avg_pool1d(level, 41, 1, 20, count_include_pad=False)
    gain = uniform(random, batch, 0.1, 0.6, 3) * (level.mean(2, keepdim=True) - slow)
    return torch.where(chance(random, batch, 0.25, 4), mel + gain.reshape(batch, steps, frames, 1), mel)


def suppressed_noise(mel: Tensor, random: torch.Generator) -> Tensor:
    """Press down what is near the noise of each band, in a quarter of the rows; some of the speech goes with it."""
    batch = mel.shape[0]
    noise = torch.quantile(mel.flatten(1, 2), 0.2, dim=1)[:, None, None]
    below = torch.sigmoid(2 * (noise + uniform(random, batch, 0.5, 2.5, 4) - mel))
    pressed = (mel - below * uniform(random, batch, 1, 5, 4)).clamp(min=FLOOR)
    return torch.where(chance(random, batch, 0.25, 4), pressed, mel)


def lower_bands(mel: Tensor, random: torch.Generator) -> Tensor:
    """Leave a seventh of the rows nothing above 3 to 6 kHz, as narrow codecs and cheap microphones do."""
    batch, bands = mel.shape[0], mel.shape[-1]
    cut = uniform(random, batch, 0.65 * bands, 0.9 * bands, 4)
    gone = torch.arange(bands) > cut
    return torch.where(chance(random, batch, 1 / 7, 4) & gone, torch.tensor(FLOOR), mel)
