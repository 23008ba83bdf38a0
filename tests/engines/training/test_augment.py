"""Augmentation changes what people and calls change, and nothing that tells the time."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="training needs torch: install the extra `train`")

import torch
from torch import Tensor

from engines.training.augment import augment_lips, augment_voice
from engines.training.capture import FLOOR


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def lips(batch: int = 32, steps: int = 12) -> tuple[Tensor, Tensor]:
    random = seeded(1)
    return 0.05 * torch.randn(batch, steps, 168, generator=random), torch.rand(batch, steps, 36, 36, generator=random)


def voice(batch: int = 64, steps: int = 12) -> Tensor:
    """A spectrum of its own for each row, as loud as speech."""
    random = seeded(2)
    return (
        -6
        + 2 * torch.randn(batch, 1, 1, 80, generator=random)
        + 0.5 * torch.randn(batch, steps, 4, 80, generator=random)
    )


def test_shapes_stay_and_values_are_finite() -> None:
    shape, mouth = augment_lips(*lips(), seeded())
    mel = augment_voice(voice(), seeded())
    assert shape.shape == (32, 12, 168)
    assert mouth.shape == (32, 12, 36, 36)
    assert mel.shape == (64, 12, 4, 80)
    for tensor in (shape, mouth, mel):
        assert bool(torch.isfinite(tensor).all())


def test_the_same_seed_does_the_same() -> None:
    for one, other in zip(augment_lips(*lips(), seeded(3)), augment_lips(*lips(), seeded(3)), strict=True):
        assert bool((one == other).all())
    assert bool((augment_voice(voice(), seeded(3)) == augment_voice(voice(), seeded(3))).all())
    assert bool((augment_voice(voice(), seeded(3)) != augment_voice(voice(), seeded(4))).any())


def test_lips_keep_their_moment() -> None:
    """Row by row, the changed lips of a step are nearest to the same step of the unchanged."""
    steps = torch.arange(12)
    still = torch.zeros(200, 12, 168)
    moving = still + torch.linspace(0, 2, 12)[:, None]
    shape, _ = augment_lips(moving, torch.rand(200, 12, 36, 36, generator=seeded(1)), seeded())
    level = shape.reshape(200, 12, 56, 3).mean((2, 3))
    order = level.argsort(1).argsort(1)
    exact = (order == steps).all(1).float().mean()
    assert float(exact) > 0.6
    # The rest are calls at half the frame rate: every second picture is held.
    assert bool(((order - steps).abs() <= 2).all(1).float().mean() > 0.9)


def test_the_voice_keeps_its_moment() -> None:
    quiet = torch.full((64, 12, 4, 80), -11.0)
    quiet[:, 6] = -3
    loudest = augment_voice(quiet, seeded()).mean((2, 3)).argmax(1)
    assert float((loudest == 6).float().mean()) > 0.95


def test_silence_stays_at_the_floor_or_gains_only_noise() -> None:
    mel = augment_voice(torch.full((64, 12, 4, 80), FLOOR), seeded())
    assert float(mel.min()) > FLOOR - 4


def test_some_rows_are_masked_and_some_are_not() -> None:
    mel = augment_voice(voice(), seeded())
    flat = (mel.std((1, 2)) < 1e-6).any(1).float().mean()
    assert 0.2 < float(flat) < 0.8
