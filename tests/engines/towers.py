"""Untrained towers whose every layer does something, and clips with a truth in them."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from engines.nets.heads import SIZE
from engines.nets.speech import SHAPE, STEP_MELS, Lips, Voice
from engines.training.clips import Clip

# Two threads on a busy machine wait for each other longer than one works.
torch.set_num_threads(1)


def shake(module: nn.Module, seed: int = 0) -> None:
    """Give the normalisations means and scales of their own, as training would, and leave evaluation mode on."""
    random = torch.Generator().manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            size = layer.num_features
            layer.running_mean = 0.1 * torch.randn(size, generator=random)
            layer.running_var = 0.5 + torch.rand(size, generator=random)
    module.eval()


def parameters(module: nn.Module) -> int:
    """How many parameters a module has."""
    return sum(parameter.numel() for parameter in module.parameters())


def untrained(seed: int = 0) -> tuple[Lips, Voice]:
    """Lips and voice in evaluation mode, the same for the same seed."""
    torch.manual_seed(seed)
    lips, voice = Lips(), Voice()
    shake(lips, seed)
    shake(voice, seed)
    lips.shape_scale.data = 5 + torch.rand(SHAPE)
    lips.centre.data, voice.centre.data = 0.03 * torch.randn(SIZE), 0.03 * torch.randn(SIZE)
    voice.mean.data, voice.scale.data = torch.full((STEP_MELS,), -6.0), 0.5 + torch.rand(STEP_MELS)
    return lips, voice


def clip(name: str, seed: int, steps: int = 150, subject: str | None = None, group: str = "wild") -> Clip:
    """A slow random signal that moves lips, mouth and voice alike."""
    random = np.random.default_rng(seed)
    signal = np.convolve(random.normal(size=steps + 8), np.ones(5) / 2, "same")[4:-4]
    shape = 0.05 * signal[:, None] * random.normal(size=168) + 0.01 * random.normal(size=(steps, 168))
    mouth = 128 + 20 * signal[:, None, None] + random.normal(0, 5, (steps, 36, 36))
    mel = -6 + signal[:, None, None] + 0.3 * random.normal(size=(steps, 4, 80))
    every = np.ones(steps, np.bool_)
    return Clip(
        name,
        subject or name,
        group,
        shape.astype(np.float32),
        np.clip(mouth, 0, 255).astype(np.uint8),
        mel.astype(np.float32),
        every,
    )
