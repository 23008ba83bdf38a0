"""The towers give the same vectors in one piece and piece by piece."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the towers need torch: install the extra `train`")

import torch
from torch import Tensor, nn

from engines.nets.heads import SIZE
from engines.nets.speech import MOUTH, SHAPE, LipsEnsemble, VoiceEnsemble
from engines.nets.streaming import Conv, Layer, Residual, Tower
from tests.engines.towers import shake, untrained

STEPS = 40


def inputs(seed: int = 1, steps: int = STEPS) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    shape = 0.1 * torch.randn(2, steps, SHAPE, generator=random)
    mouth = torch.rand(2, steps, MOUTH, MOUTH, generator=random)
    return shape, mouth, torch.randn(2, steps, 4, 80, generator=random) - 6


@torch.no_grad()
@pytest.mark.parametrize("chunk", [1, 5, 25])
def test_a_stream_of_lips_answers_as_the_whole_clip_does_only_later(chunk: int) -> None:
    lips, _ = untrained()
    shape, mouth, _ = inputs()
    whole, state, answers = lips(shape, mouth), torch.zeros(2, lips.state_size), []
    for a, b in zip(torch.split(shape, chunk, 1), torch.split(mouth, chunk, 1), strict=True):
        out, state = lips.step(a, b, state)
        assert out.shape == (2, a.shape[1], SIZE)
        answers.append(out)
    late, edge = torch.cat(answers, 1)[:, lips.reach :], lips.reach
    assert (late[:, edge:] - whole[:, edge : STEPS - lips.reach]).abs().max() < 1e-4


@torch.no_grad()
@pytest.mark.parametrize("chunk", [1, 5, 25])
def test_a_stream_of_voice_answers_as_the_whole_clip_does_only_later(chunk: int) -> None:
    _, voice = untrained()
    _, _, mel = inputs()
    whole, state, answers = voice(mel), torch.zeros(2, voice.state_size), []
    for piece in torch.split(mel, chunk, 1):
        out, state = voice.step(piece, state)
        answers.append(out)
    late, edge = torch.cat(answers, 1)[:, voice.reach :], voice.reach
    assert (late[:, edge:] - whole[:, edge : STEPS - voice.reach]).abs().max() < 1e-4


@torch.no_grad()
def test_answers_are_unit_vectors_less_what_all_have_in_common() -> None:
    lips, voice = untrained()
    shape, mouth, mel = inputs()
    assert voice(mel).norm(dim=-1) == pytest.approx(torch.ones(2, STEPS), abs=1e-5)
    *eyes, features = lips.eyes(shape, mouth)
    assert features.shape == (2, STEPS, lips.features)
    assert voice.both(mel)[1].shape == (2, STEPS, voice.features)
    for eye in eyes:
        assert eye.norm(dim=-1) == pytest.approx(torch.ones(2, STEPS), abs=1e-5)
    assert lips(shape, mouth).norm(dim=-1) == pytest.approx(torch.ones(2, STEPS), abs=1e-5)
    want = nn.functional.normalize((eyes[0] + eyes[1]) / 2 - lips.centre, dim=-1)
    assert (lips(shape, mouth) - want).abs().max() < 1e-5


@torch.no_grad()
def test_an_answer_sees_no_further_than_the_reach() -> None:
    lips, voice = untrained()
    shape, mouth, mel = inputs()
    assert lips.reach == voice.reach
    far = 10 + voice.reach + 1
    before, after = voice(mel), voice(mel.index_fill(1, torch.tensor([far]), 0.0))
    assert (before[:, : far - voice.reach] - after[:, : far - voice.reach]).abs().max() == 0
    assert (before[:, far - voice.reach] - after[:, far - voice.reach]).abs().max() > 0
    moved = lips(shape, mouth.index_fill(1, torch.tensor([far]), 0.5))
    assert (lips(shape, mouth) - moved)[:, far - lips.reach - 1].abs().max() == 0
    assert (lips(shape, mouth) - moved)[:, far - lips.reach].abs().max() > 0


@torch.no_grad()
def test_light_and_contrast_of_the_picture_hardly_matter() -> None:
    lips, _ = untrained()
    shape, mouth, _ = inputs()
    assert (lips(shape, mouth) - lips(shape, 0.5 * mouth + 0.2)).abs().max() < 0.1


@torch.no_grad()
def test_layers_keep_as_much_past_as_they_look_both_ways() -> None:
    tower = Tower([Conv(3, 4, 5), Residual(4, 2, 0.0)], 4, 6)
    shake(tower)
    assert (tower.reach, tower.state_size) == (4, 4 * 3 + 4 * 4)
    assert tower(torch.randn(1, 7, 3)).shape == (1, 7, 6)


def test_a_layer_of_no_kind_is_refused() -> None:
    layer = Layer()
    layer.reach, layer.state_shape = 1, (2,)
    assert isinstance(layer, nn.Module)
    with pytest.raises(TypeError, match="Layer is not a layer of its own"):
        layer.whole(torch.zeros(1, 3, 2))


@torch.no_grad()
def test_an_ensemble_agrees_as_its_members_do_on_the_mean() -> None:
    towers = [untrained(seed) for seed in (0, 1)]
    lips, voice = LipsEnsemble([a for a, _ in towers]), VoiceEnsemble([b for _, b in towers])
    shape, mouth, mel = inputs()
    seen, state = lips.step(shape, mouth, torch.zeros(2, lips.state_size))
    heard, _ = voice.step(mel, torch.zeros(2, voice.state_size))
    assert seen.shape == heard.shape == (2, STEPS, lips.size)
    assert state.shape == (2, lips.state_size)
    assert seen.norm(dim=-1) == pytest.approx(torch.ones(2, STEPS), abs=1e-5)
    alone = [
        (a.step(shape, mouth, torch.zeros(2, a.state_size))[0] * b.step(mel, torch.zeros(2, b.state_size))[0]).sum(-1)
        for a, b in towers
    ]
    assert ((seen * heard).sum(-1) - (alone[0] + alone[1]) / 2).abs().max() < 1e-5
    again, _ = lips.step(shape, mouth, state)
    want = torch.cat([a.step(shape, mouth, part)[0] for (a, _), part in zip(towers, lips.parts(state), strict=True)], 2)
    assert (again - want / 2**0.5).abs().max() < 1e-5
