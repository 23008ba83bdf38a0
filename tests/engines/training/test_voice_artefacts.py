"""The net that hears synthetic speech: what it knows nothing of, and that it learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: install the extra `train`")

from engines.metrics import auc  # noqa: E402
from engines.nets.voice_artefacts import BANDS, VoiceArtefacts  # noqa: E402
from engines.training.clips import TrainingError  # noqa: E402
from engines.training.voice_artefacts import VoiceExamples, VoiceRecipe, logits, train  # noqa: E402

SMALL = VoiceRecipe(max_steps=60, batch=16, frames=64, rate=4e-3, average=0.8)


def examples(count: int = 24, seed: int = 0) -> VoiceExamples:
    """Noise, of which that of the makers 1 and 2 has a comb over its bands."""
    random = np.random.default_rng(seed)
    maker = np.arange(count) % 3
    bands = random.normal(0, 2, (count, 80, BANDS))
    bands[maker > 0] *= 1 + 0.9 * np.cos(np.pi * np.arange(BANDS) / 2)
    return VoiceExamples(bands.astype(np.float16), maker)


def test_the_level_of_a_band_changes_nothing() -> None:
    net, bands = VoiceArtefacts().eval(), torch.randn(2, 64, BANDS)
    microphone = torch.linspace(-5, 5, BANDS)
    assert torch.allclose(net(bands), net(bands + microphone), atol=1e-4)
    assert net(bands).shape == (2,)


def test_it_is_small() -> None:
    assert sum(parameter.numel() for parameter in VoiceArtefacts().parameters()) < 200_000


def test_it_learns_what_machines_leave_and_is_the_same_again() -> None:
    told: list[dict[str, Any]] = []
    run = train(examples(), SMALL, told.append)
    later = examples(seed=1)
    found = logits(run.mean, later.bands)
    assert auc(found[later.maker > 0], found[later.maker == 0]) > 0.9
    assert run.step == 60
    assert [row["step"] for row in told] == [20, 40, 60]
    assert np.array_equal(found, logits(train(examples(), SMALL, told.append).mean, later.bands))


def test_nothing_to_tell_apart_is_one_line() -> None:
    for maker in (np.zeros(4, np.int64), np.ones(4, np.int64)):
        with pytest.raises(TrainingError, match="synthesiser"):
            train(VoiceExamples(np.zeros((4, 64, BANDS), np.float16), maker), SMALL, lambda news: None)


def test_no_windows_are_no_logits() -> None:
    assert logits(VoiceArtefacts(), np.zeros((0, 64, BANDS), np.float16)).shape == (0,)
