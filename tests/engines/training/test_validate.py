"""The separation of own from other voices, and its measures against hand-worked values."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("torch", reason="training needs torch: install the extra `train`")

import numpy as np
import torch

from engines.metrics import auc, eer
from engines.nets.speech import Lips, Voice
from engines.training.clips import Clip
from engines.training.validate import encode, separation
from tests.engines.towers import clip, untrained


class SharedLips(Lips):
    """Reads the truth of a clip from its shape."""

    def forward(self, shape: torch.Tensor, mouth: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(shape[..., :128], dim=-1)


class SharedVoice(Voice):
    """Reads the truth of a clip from its log-mel."""

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(mel.flatten(2)[..., :128], dim=-1)


def truthful(name: str, seconds: float, seed: int) -> Clip:
    """A clip whose shape and mel begin with the same 128 numbers."""
    random, steps = np.random.default_rng(seed), round(25 * seconds)
    truth = random.normal(size=(steps, 128)).astype(np.float32)
    shape, mel = np.zeros((steps, 168), np.float32), np.zeros((steps, 320), np.float32)
    shape[:, :128], mel[:, :128] = truth, truth
    every = np.ones(steps, np.bool_)
    return Clip(name, name, "g", shape, np.zeros((steps, 36, 36), np.uint8), mel.reshape(steps, 4, 80), every)


def test_towers_that_know_the_truth_separate_wholly() -> None:
    clips = [truthful(f"p{n}", 4, n) for n in range(4)]
    (row,) = separation(clips, SharedLips(), SharedVoice(), (2.0,))
    assert (row.windows, row.subjects) == (8, 4)
    assert (row.auc_other, row.auc_other_low, row.auc_other_high) == (1, 1, 1)
    assert (row.auc_shift, row.eer_other, row.tpr_at_1_percent) == (1, 0, 1)
    assert set(row.as_dict()) >= {"seconds", "windows", "subjects", "auc_other"}


def test_untrained_towers_are_measured_too_and_left_in_evaluation_mode() -> None:
    lips, voice = untrained()
    lips.train()
    rows = separation([clip(f"p{n}", n, steps=110) for n in range(4)], lips, voice, (2.0, 4.0))
    assert [row.seconds for row in rows] == [2.0, 4.0]
    assert all(row.auc_other_low <= row.auc_other <= row.auc_other_high for row in rows)
    assert math.isnan(rows[1].auc_shift)
    assert not lips.training


def test_lengths_that_fewer_than_two_people_fill_are_left_out() -> None:
    clips = [truthful("p0", 6, 0), truthful("p1", 3, 1)]
    assert [row.seconds for row in separation(clips, SharedLips(), SharedVoice(), (2.0, 5.0, 9.0))] == [2.0]
    assert separation([], SharedLips(), SharedVoice(), (2.0,)) == []
    silent = truthful("p2", 3, 2)
    silent.good[:] = False
    assert separation([clips[0], silent], SharedLips(), SharedVoice(), (2.0,)) == []


def test_vectors_of_a_clip_are_those_of_the_towers() -> None:
    lips, voice = untrained()
    seen, heard = encode(clip("a", 0, steps=30), lips, voice)
    assert seen.shape == heard.shape == (30, 128)
    assert not seen.requires_grad


def test_measures_by_hand() -> None:
    high, low = np.array([1.0, 3.0]), np.array([0.0, 2.0])
    assert auc(high, low) == 0.75
    assert auc(low, high) == 0.25
    assert auc(low, low) == 0.5
    assert math.isnan(auc(np.array([]), low))
    assert math.isnan(auc(low, np.array([])))
    assert eer(high, low) == 0.5
    assert eer(high, np.array([-1.0, -2.0])) == 0
