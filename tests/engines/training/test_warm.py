"""Towers that are loaded back from a pack answer as the pack does, and can go on learning."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs torch: install the extra `train`")

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from engines.base import ModelPackError
from engines.nets.speech import Lips, Voice, VoiceEnsemble
from engines.training.clips import Sampler, TrainingError
from engines.training.export import PackDescription, export_voice
from engines.training.warm import start_from
from engines.trust import trust_here
from tests.engines.towers import clip, untrained

BATCH = Sampler([clip(f"p{n}", n, steps=60) for n in range(4)], 40, 0, 0, {}).batch(4)


@torch.no_grad()
def test_a_pack_becomes_the_towers_that_it_was_made_of(untrained_packs: Path) -> None:
    trained, (lips, voice) = untrained(), (Lips(), Voice())
    start_from(lips, voice, [untrained_packs], BATCH)
    trained[0].centre.data.zero_()
    trained[1].centre.data.zero_()
    shape, mouth, mel = (torch.from_numpy(array) for array in (BATCH.shape, BATCH.mouth, BATCH.mel))
    # At the ends the clip is padded, and a bias that was folded in is seen there.
    inner = slice(lips.reach, -lips.reach)
    assert (lips(shape, mouth) - trained[0](shape, mouth))[:, inner].abs().max() < 1e-3
    assert (voice(mel) - trained[1](mel))[:, inner].abs().max() < 1e-3


def test_its_normalisations_change_nothing_in_training_either(untrained_packs: Path) -> None:
    lips, voice = Lips(dropout=0.0), Voice(dropout=0.0)
    start_from(lips, voice, [untrained_packs], BATCH)
    mel = torch.from_numpy(BATCH.mel)
    still = voice(mel)
    voice.train()
    assert (voice(mel) - still).abs().max() < 1e-3


@pytest.mark.parametrize("is_exported", [False, pytest.param(True, marks=pytest.mark.long)])
def test_what_is_no_single_tower_is_refused(is_exported: bool, untrained_packs: Path, tmp_path: Path) -> None:
    for name in ("speech_lips", "speech_voice"):
        shutil.copytree(untrained_packs / name, tmp_path / name)
    if is_exported:
        _, voice = untrained()
        about = PackDescription("1", "x", "x", {}, {}, {}, "x")
        shutil.rmtree(tmp_path / "speech_voice")
        export_voice(VoiceEnsemble([voice, voice]), tmp_path / "speech_voice", about)
    else:
        edited(tmp_path / "speech_voice", as_of_a_member)
    with pytest.raises(TrainingError, match="speech_voice is not a single tower"):
        start_from(Lips(), Voice(), [tmp_path], BATCH)
    with pytest.raises(TrainingError, match="speech_lips is not a single tower"):
        start_from(Lips(channels=8), Voice(), [tmp_path], BATCH)
    with pytest.raises(ModelPackError, match="no model pack"):
        start_from(Lips(), Voice(), [tmp_path / "absent"], BATCH)


def edited(pack: Path, edit: Callable[[onnx.ModelProto], None]) -> None:
    """Change a pack's graph, as whoever made the pack would."""
    model = onnx.load(str(pack / "model.onnx"))
    edit(model)
    onnx.save(model, str(pack / "model.onnx"))
    digest = hashlib.sha256((pack / "model.onnx").read_bytes()).hexdigest()
    manifest = json.loads((pack / "manifest.json").read_text())
    manifest["sha256"] = manifest["files"]["model.onnx"] = digest
    (pack / "manifest.json").write_text(json.dumps(manifest))
    trust_here((pack / "manifest.json").read_bytes())


def as_of_a_member(model: onnx.ModelProto) -> None:
    """Call a tower's parameters what they are called in an ensemble of towers."""
    new = {array.name: array.name.replace("tower.", "tower.members.0.", 1) for array in model.graph.initializer}
    assert any(name != again for name, again in new.items())
    for array in model.graph.initializer:
        array.name = new[array.name]
    for node in model.graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]


def scaled(packs: Path, to: Path, factor: float) -> Path:
    """The same packs, every number of their graphs times `factor`."""

    def scale(model: onnx.ModelProto) -> None:
        for array in model.graph.initializer:
            values = numpy_helper.to_array(array)
            if values.dtype == np.float32:
                array.CopyFrom(numpy_helper.from_array(values * np.float32(factor), array.name))

    for name in ("speech_lips", "speech_voice"):
        shutil.copytree(packs / name, to / name)
        edited(to / name, scale)
    return to


def test_of_several_packs_it_is_the_mean_of_their_weights(untrained_packs: Path, tmp_path: Path) -> None:
    (lips, voice), (mean_lips, mean_voice) = (Lips(), Voice()), (Lips(), Voice())
    start_from(lips, voice, [untrained_packs], BATCH)
    start_from(mean_lips, mean_voice, [untrained_packs, scaled(untrained_packs, tmp_path / "b", 3.0)], BATCH)
    for one, mean in ((lips, mean_lips), (voice, mean_voice)):
        weight, doubled = (
            next(p.detach() for n, p in tower.named_parameters() if n.endswith("project.weight"))
            for tower in (one, mean)
        )
        assert float(weight.abs().max()) > 0
        assert torch.allclose(doubled, 2 * weight, atol=1e-6)
