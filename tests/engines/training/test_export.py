"""Exported packs are what both engines take, and a graph that is not the towers' is not shipped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training and export need torch: install the extra `train`")

import numpy as np
import torch

from engines.base import zeros
from engines.load import load_engine
from engines.nets.heads import SIZE
from engines.nets.speech import Lips
from engines.packs import load_pack
from engines.registry import EngineName
from engines.training import export
from engines.training.clips import TrainingError
from tests.engines.towers import untrained

Stepped = tuple[torch.Tensor, torch.Tensor]


@torch.no_grad()
@pytest.mark.parametrize("engine", ["openvino", "onnx"])
@pytest.mark.parametrize(("batch", "length"), [(1, 1), (1, 5), (3, 25)])
def test_both_engines_give_what_torch_gives(untrained_packs: Path, engine: EngineName, batch: int, length: int) -> None:
    lips, voice = untrained()
    steps: dict[str, Callable[..., Stepped]] = {"speech_lips": lips.step, "speech_voice": voice.step}
    for name, step in steps.items():
        built = load_engine(name, engine, untrained_packs)
        random = np.random.default_rng(0)
        like = zeros(built.manifest, batch, length)
        arrays = {key: random.normal(size=value.shape).astype(np.float32) for key, value in like.items()}
        out = built.run(arrays)
        want = step(*(torch.from_numpy(array) for array in arrays.values()))
        for (key, got), tensor in zip(out.items(), want, strict=True):
            assert got.shape == tuple(tensor.shape), key
            assert np.abs(got - tensor.numpy()).max() < 1e-3, key


def test_the_manifest_says_what_a_stream_must_know(untrained_packs: Path) -> None:
    pack = load_pack(untrained_packs / "speech_lips")
    lips, _ = untrained()
    assert pack.manifest.preprocessing == {"rate": 25, "reach": lips.reach}
    assert {spec.name: spec.shape for spec in pack.manifest.outputs} == {
        "lips": (-1, SIZE),
        "state_out": (lips.state_size,),
    }
    assert pack.manifest.recipe == {"minutes": 0}
    assert (pack.folder / "card.md").read_text() == "# A test\n"


def test_a_graph_that_differs_from_torch_is_refused(untrained_packs: Path) -> None:
    other, _ = untrained(seed=5)
    step = export._LipStep(other).eval()
    inputs = {"shape": (168,), "mouth": (36, 36)}
    with pytest.raises(TrainingError, match=r"model.onnx differs from torch by .*: do not ship it"):
        export._check(step, untrained_packs / "speech_lips" / "model.onnx", inputs, Lips().state_size)
