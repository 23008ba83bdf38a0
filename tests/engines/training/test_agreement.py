"""The losses are small where lips and voice fit and large where they do not."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

pytest.importorskip("torch", reason="training needs torch: install the extra `train`")

import torch
from torch import Tensor

from engines.training.agreement import MIN_OVERLAP, best_agreement, clip_loss, frame_loss, time_loss

SHARP = torch.tensor(0.05)
Loss = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def units(batch: int, steps: int, seed: int = 0, size: int = 32) -> Tensor:
    """Random unit vectors: as good as orthogonal."""
    random = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(batch, steps, size, generator=random), dim=-1)


def lagged(lips: Tensor, lag: Tensor) -> Tensor:
    """The voice that belongs to `lips`, begun `lag` steps later."""
    return torch.stack([row.roll(-int(n), 0) for row, n in zip(lips, lag, strict=True)])


GOOD = torch.ones(4, 20, dtype=torch.bool)
LAG = torch.tensor([0, 3, -2, 5])


@pytest.mark.parametrize("loss", [time_loss, frame_loss])
def test_alignment_costs_next_to_nothing_and_shuffling_much(loss: Loss) -> None:
    lips = units(4, 20)
    aligned = loss(lips, lagged(lips, LAG), LAG, GOOD, SHARP)
    wrong_lag = loss(lips, lagged(lips, LAG), LAG + 4, GOOD, SHARP)
    shuffled = loss(lips, lagged(lips, LAG)[:, torch.randperm(20)], LAG, GOOD, SHARP)
    assert float(aligned) < 0.1
    assert float(wrong_lag) > 2
    assert float(shuffled) > 2


def test_vectors_that_say_nothing_cost_the_logarithm_of_the_choice() -> None:
    same = torch.nn.functional.normalize(torch.ones(2, 10, 8), dim=-1)
    lag, good = torch.zeros(2, dtype=torch.long), torch.ones(2, 10, dtype=torch.bool)
    # Of the 10 moments of a clip the neighbours do not compete: 8 or, at the two ends, 9 are left.
    choice = (8 * math.log(8) + 2 * math.log(9)) / 10
    assert float(time_loss(same, same, lag, good, SHARP)) == pytest.approx(choice, rel=1e-4)


def test_frames_that_do_not_count_do_not_cost() -> None:
    lips = units(4, 20)
    broken = lips.clone()
    broken[:, :5] = units(4, 5, seed=9)
    good = GOOD.clone()
    good[:, :5] = False
    none = torch.zeros(4, dtype=torch.long)
    assert float(time_loss(broken, lips, none, GOOD, SHARP)) > 1
    assert float(time_loss(broken, lips, none, good, SHARP)) < 0.6


def test_neighbours_in_time_are_no_negatives() -> None:
    lips = units(1, 20)
    voice = (lips + 0.9 * lips.roll(1, 1)) / 2
    none, good = torch.zeros(1, dtype=torch.long), GOOD[:1]
    assert float(time_loss(lips, voice, none, good, SHARP)) < 0.1


def test_the_best_offset_is_found_and_its_mean_is_taken() -> None:
    lips = units(2, 60)
    voice = lips.roll(4, 1)
    best, offset = best_agreement(lips, voice, torch.ones(2, 60, dtype=torch.bool), 6)
    assert offset.diagonal().tolist() == [4, 4]
    assert best.diagonal().tolist() == pytest.approx([1, 1])
    assert float(best[0, 1]) < 0.3


def test_only_good_frames_make_the_mean() -> None:
    lips, good = units(1, 40), torch.zeros(1, 40, dtype=torch.bool)
    good[:, 10:30] = True
    voice = units(1, 40, seed=1)
    voice[:, 10:30] = lips[:, 10:30]
    assert float(best_agreement(lips, voice, good, 3)[0]) == pytest.approx(1, abs=1e-5)
    assert float(best_agreement(lips, voice, torch.ones_like(good), 3)[0]) < 0.8


def test_too_few_frames_agree_not_at_all() -> None:
    lips, good = units(1, 40), torch.zeros(1, 40, dtype=torch.bool)
    good[:, : MIN_OVERLAP - 1] = True
    assert float(best_agreement(lips, lips, good, 3)[0]) == -1


def test_clips_agree_most_with_their_own_voice() -> None:
    lips = units(4, 40)
    good = torch.ones(4, 40, dtype=torch.bool)
    same = clip_loss(lips, lips.roll(2, 1), good, 5, SHARP)
    swapped = clip_loss(lips, lips.roll(1, 0), good, 5, SHARP)
    assert float(same) < 0.01
    assert float(swapped) > 5


def test_clips_with_too_little_speech_do_not_cost() -> None:
    lips = units(3, 40)
    good = torch.ones(3, 40, dtype=torch.bool)
    good[2] = False
    voice = lips.clone()
    voice[2] = units(1, 40, seed=5)[0]
    assert float(clip_loss(lips, voice, good, 5, SHARP)) < 0.01


@pytest.mark.parametrize("loss", [time_loss, frame_loss])
def test_gradients_draw_a_pair_together(loss: Loss) -> None:
    lips = units(4, 20).requires_grad_()
    voice, none = units(4, 20, seed=2), torch.zeros(4, dtype=torch.long)
    before = (lips * voice).sum(-1).mean()
    torch.autograd.backward(loss(lips, voice, none, GOOD, SHARP))
    assert lips.grad is not None
    after = ((lips - lips.grad) * voice).sum(-1).mean()
    assert float(after.detach()) > float(before.detach())


def test_all_pairs_share_one_scale() -> None:
    """Every clip fits best among its own row and column, yet one pair of others fits better than another's own."""
    good, sharp = torch.ones(2, 20, dtype=torch.bool), torch.tensor(0.05)
    steady = torch.zeros(2, 20, 4)
    steady[0, :, 0] = 1.0
    steady[1, :, 1] = 1.0
    voice = steady.clone()
    own = float(clip_loss(steady, voice, good, 2, sharp))
    voice[1] = 0.0
    voice[1, :, 1], voice[1, :, 2] = 0.2, 0.96
    weak = float(clip_loss(steady, voice, good, 2, sharp))
    voice[1, :, 0] = 0.19
    pooled = float(clip_loss(steady, voice, good, 2, sharp))
    assert own < weak < pooled
    assert float(clip_loss(steady[:1], voice[:1], good[:1], 2, sharp)) == 0.0
