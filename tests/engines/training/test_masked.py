"""Masked prediction: sounds are numbered, hidden, and can be named from the lips."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch: install the extra `train`")

import torch

from engines.training.masked import (
    SPAN_STEPS,
    Context,
    Hidden,
    at_lips,
    hide,
    label,
    masked_loss,
    sound_steps,
    sound_units,
)
from tests.engines.towers import clip

CLIPS = [clip(f"p{n}", n, steps=80) for n in range(4)]


def test_sounds_are_numbered_by_their_nearest_centre() -> None:
    centres = sound_units(CLIPS, 6)
    assert centres.shape == (6, 320)
    named = label(CLIPS, centres)
    assert set(named) == {"p0", "p1", "p2", "p3"}
    steps = sound_steps(CLIPS[0])
    want = np.linalg.norm(steps[:, None] - centres[None], axis=2).argmin(1)
    assert (named["p0"] == want).all()
    assert len(np.unique(np.concatenate(list(named.values())))) == 6


def test_few_steps_make_few_sounds() -> None:
    assert len(sound_units([clip("p", 0, steps=25)], 100)) == 25


def test_the_first_version_of_a_clip_speaks_for_all() -> None:
    centres = sound_units(CLIPS, 6)
    louder = clip("p0", 7, steps=80)
    assert (label([CLIPS[0], louder], centres)["p0"] == label([CLIPS[0]], centres)["p0"]).all()


def test_sounds_do_not_hear_who_says_them_where() -> None:
    plain = CLIPS[0]
    steps = sound_steps(plain)
    assert np.abs(steps[plain.good].mean(0)).max() < 1e-4


def test_rows_lose_sound_or_lips_never_both() -> None:
    hidden = hide(300, 30, torch.Generator().manual_seed(0))
    spans, all_sound, lips = hidden.voice.any(1), hidden.no_voice, hidden.lips.any(1)
    assert not (spans & all_sound).any()
    assert not (lips & ~all_sound).any()
    for share in (spans, all_sound & ~lips, lips):
        assert 0.25 < share.float().mean() < 0.42
    assert hidden.voice[spans].sum(1).min() >= SPAN_STEPS


@pytest.mark.parametrize("lag", [-3, 0, 4])
def test_voice_is_moved_to_the_moments_of_the_lips(lag: int) -> None:
    voice = torch.arange(20.0)[None, :, None]
    moved = at_lips(voice, torch.tensor([lag]))[0, :, 0]
    inner = torch.arange(max(lag, 0), 20 + min(lag, 0))
    assert (moved[inner] == inner - lag).all()


def inputs(batch: int = 8, time: int = 30) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sounds, and lips that show them; the voice says nothing."""
    units = torch.randint(0, 5, (batch, time), generator=torch.Generator().manual_seed(0))
    return units, torch.nn.functional.one_hot(units, 5).float(), torch.zeros(batch, time, 3)


def silent(batch: int, time: int) -> Hidden:
    nothing = torch.zeros(batch, time, dtype=torch.bool)
    return Hidden(nothing, nothing, torch.ones(batch, dtype=torch.bool))


def test_sounds_can_be_learnt_from_lips_alone() -> None:
    torch.manual_seed(0)
    units, lips, voice = inputs()
    context, good = Context(5, 3, 5, size=32), torch.ones(8, 30, dtype=torch.bool)
    optimiser = torch.optim.Adam(context.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        loss = masked_loss(context, lips, voice, torch.zeros(8, dtype=torch.long), good, silent(8, 30), units)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]


def test_a_row_without_voice_does_not_hear_it() -> None:
    _, lips, _ = inputs()
    context = Context(5, 3, 5, size=32).eval()
    inside = torch.ones(8, 30, dtype=torch.bool)
    deaf = torch.ones(8, dtype=torch.bool)
    one, other = (context(lips, torch.full((8, 30, 3), value), deaf, inside) for value in (0.0, 5.0))
    assert torch.equal(one, other)
    assert not torch.equal(one, context(lips, torch.full((8, 30, 3), 5.0), ~deaf, inside))


def test_only_hidden_sounds_of_good_frames_are_asked_for() -> None:
    units, lips, voice = inputs()
    context, lag = Context(5, 3, 5, size=32).eval(), torch.zeros(8, dtype=torch.long)
    nothing = torch.zeros(8, 30, dtype=torch.bool)
    good = ~nothing
    whole = Hidden(nothing, nothing, torch.zeros(8, dtype=torch.bool))
    assert masked_loss(context, lips, voice, lag, good, whole, units).item() == 0
    assert masked_loss(context, lips, voice, lag, nothing, silent(8, 30), units).item() == 0
    assert masked_loss(context, lips, voice, lag, good, silent(8, 30), torch.full_like(units, -1)).item() == 0
    spans = nothing.clone()
    spans[:, 4:9] = True
    wrong = units.clone()
    wrong[:, 9:] = (wrong[:, 9:] + 1) % 5
    asked = Hidden(nothing, spans, torch.zeros(8, dtype=torch.bool))
    first, second = (masked_loss(context, lips, voice, lag, good, asked, said) for said in (units, wrong))
    assert first.item() == pytest.approx(second.item())
