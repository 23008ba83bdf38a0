"""Phones and webcams change some rows as they do, leave the others alone, and tell no time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("torch", reason="training needs torch: install the extra `train`")

import torch
from torch import Tensor

from engines.training import capture

ROWS, STEPS = 120, 24


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def speech() -> Tensor:
    """Syllables of 160 ms over a quiet room, each row with a spectrum of its own."""
    random = seeded(1)
    loud = (torch.arange(STEPS) // 4 % 2)[None, :, None, None].float()
    spectrum = 2 * torch.randn(ROWS, 1, 1, 80, generator=random)
    return -10 + 6 * loud + spectrum + 0.1 * torch.randn(ROWS, STEPS, 4, 80, generator=random)


def pictures() -> Tensor:
    return torch.rand(ROWS, STEPS, 36, 36, generator=seeded(2))


SOUNDS: dict[Callable[[Tensor, torch.Generator], Tensor], float] = {
    capture.room: 0.25,
    capture.wind: 0.1,
    capture.automatic_gain: 0.25,
    capture.suppressed_noise: 0.25,
    capture.lower_bands: 1 / 7,
}


def changed(before: Tensor, after: Tensor) -> Tensor:
    """Which rows differ."""
    return (before != after).flatten(1).any(1)


@pytest.mark.parametrize("condition", SOUNDS, ids=lambda c: c.__name__)
def test_a_share_of_the_rows_is_heard_otherwise(condition: Callable[[Tensor, torch.Generator], Tensor]) -> None:
    before = speech()
    after = condition(before, seeded())
    assert bool(torch.isfinite(after).all())
    assert abs(float(changed(before, after).float().mean()) - SOUNDS[condition]) < 0.12
    assert bool((condition(before, seeded()) == after).all())


def test_a_room_lets_sound_fade_and_never_comes_before_it() -> None:
    silence = torch.full((ROWS, STEPS, 4, 80), -10.0)
    clap = silence.clone()
    clap[:, 10, 0] = 3.0
    after = capture.room(clap, seeded())
    rows = changed(clap, after)
    heard = after[rows].flatten(1, 2).mean(-1) - capture.room(silence, seeded())[rows].flatten(1, 2).mean(-1)
    assert float(heard[:, :40].abs().max()) < 1e-4
    assert bool((heard[:, 41] > 1).all())
    assert bool((heard[:, 41:60].diff(dim=1) < 0).all())


def test_gain_brings_loud_and_quiet_nearer() -> None:
    quiet_then_loud = speech()[:, :, :, :] * 0 - 9
    quiet_then_loud[:, STEPS // 2 :] = -4
    after = capture.automatic_gain(quiet_then_loud, seeded())
    rows = changed(quiet_then_loud, after)
    step = after[rows, -1].mean((1, 2)) - after[rows, 0].mean((1, 2))
    assert bool((step < 5).all())
    assert bool((step > 1.5).all())


def test_suppression_presses_noise_more_than_speech() -> None:
    before = speech()
    lost = before - capture.suppressed_noise(before, seeded())
    rows = lost.flatten(1).any(1)
    loud = torch.arange(STEPS) // 4 % 2 == 1
    assert bool((lost[rows][:, ~loud].mean((1, 2, 3)) > 3 * lost[rows][:, loud].mean((1, 2, 3))).all())


def test_narrow_sound_keeps_its_lower_half() -> None:
    before = speech()
    after = capture.lower_bands(before, seeded())
    assert bool((after[..., :40] == before[..., :40]).all())
    assert bool((after[changed(before, after)][..., -1] == capture.FLOOR).all())


def test_wind_is_low() -> None:
    before = speech()
    added = capture.wind(before, seeded()) - before
    assert bool((added >= 0).all())
    assert float(added[..., :20].mean()) > 4 * float(added[..., 60:].mean())


def test_pictures_are_held_and_never_early() -> None:
    shown = capture.held_pictures(ROWS, 50, seeded())
    late = torch.arange(50)[None] - shown
    assert int(late.min()) == 0
    assert int(late.max()) <= 2
    assert bool((shown.diff(dim=1) >= 0).all())
    kinds = {len(set(row.tolist())) for row in shown}
    assert {50} < kinds
    assert any(19 <= kind <= 21 for kind in kinds)
    assert any(24 <= kind <= 26 for kind in kinds)
    assert any(29 <= kind <= 31 for kind in kinds)
    assert 0.5 < (shown == torch.arange(50)).all(1).float().mean() < 0.7


def test_focus_goes_and_comes_back() -> None:
    sharp = pictures()
    blurred = torch.zeros_like(sharp)
    after = capture.hunting_focus(sharp, blurred, seeded())
    rows = changed(sharp, after)
    assert 0.03 < rows.float().mean() < 0.25
    depth = 1 - (after[rows] / sharp[rows].clamp(min=1e-3)).mean((2, 3))
    assert bool((depth.amax(1) - depth.amin(1) > 0.1).any())


def test_lamps_beat_in_bands() -> None:
    even = torch.full((ROWS, STEPS, 36, 36), 0.5)
    after = capture.beating_lamp(even, seeded())
    rows = changed(even, after)
    assert 0.05 < rows.float().mean() < 0.3
    assert bool((after[rows].diff(dim=3) == 0).all())
    assert bool((after[rows].std(2) > 0).any())
    assert float((after - 0.5).abs().max()) <= 0.5 * 0.15 + 1e-6


def test_skin_is_smoothed_and_edges_stay() -> None:
    face = 0.5 + 0.01 * torch.randn(ROWS, STEPS, 36, 36, generator=seeded(5))
    face[..., 18:] -= 0.4
    after = capture.smooth_skin(face, seeded())
    rows = changed(face, after)
    assert 0.05 < rows.float().mean() < 0.3
    assert bool((after[rows][..., 2:15].std((1, 2, 3)) < 0.8 * face[rows][..., 2:15].std((1, 2, 3))).all())
    step = after[rows][..., 17].mean((1, 2)) - after[rows][..., 18].mean((1, 2))
    assert bool((step > 0.25).all())
