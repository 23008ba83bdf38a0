"""Towers that are loaded back from a pack answer as the pack does, and can go on learning."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs torch: install the extra `train`")

import torch

from engines.base import ModelPackError
from engines.nets.speech import Lips, LipsEnsemble, Voice, VoiceEnsemble
from engines.training.clips import Sampler, TrainingError
from engines.training.export import PackDescription, export_lips, export_voice
from engines.training.warm import start_from
from tests.engines.towers import clip, untrained

BATCH = Sampler([clip(f"p{n}", n, steps=60) for n in range(4)], 40, 0, 0, {}).batch(4)


@torch.no_grad()
def test_a_pack_becomes_the_towers_that_it_was_made_of(untrained_packs: Path) -> None:
    trained, (lips, voice) = untrained(), (Lips(), Voice())
    start_from(lips, voice, untrained_packs, BATCH)
    trained[0].centre.data.zero_()
    trained[1].centre.data.zero_()
    shape, mouth, mel = (torch.from_numpy(array) for array in (BATCH.shape, BATCH.mouth, BATCH.mel))
    # At the ends the clip is padded, and a bias that was folded in is seen there.
    inner = slice(lips.reach, -lips.reach)
    assert (lips(shape, mouth) - trained[0](shape, mouth))[:, inner].abs().max() < 1e-3
    assert (voice(mel) - trained[1](mel))[:, inner].abs().max() < 1e-3


def test_its_normalisations_change_nothing_in_training_either(untrained_packs: Path) -> None:
    lips, voice = Lips(dropout=0.0), Voice(dropout=0.0)
    start_from(lips, voice, untrained_packs, BATCH)
    mel = torch.from_numpy(BATCH.mel)
    still = voice(mel)
    voice.train()
    assert (voice(mel) - still).abs().max() < 1e-3


def test_what_is_no_single_tower_is_refused(untrained_packs: Path, tmp_path: Path) -> None:
    lips, voice = untrained()
    about = PackDescription("1", "x", "x", {}, {}, {}, "x")
    export_lips(LipsEnsemble([lips, lips]), tmp_path / "speech_lips", about)
    export_voice(VoiceEnsemble([voice, voice]), tmp_path / "speech_voice", about)
    with pytest.raises(TrainingError, match="not a single tower"):
        start_from(Lips(), Voice(), tmp_path, BATCH)
    with pytest.raises(ModelPackError, match="no model pack"):
        start_from(Lips(), Voice(), tmp_path / "absent", BATCH)
