"""Heads find what lips and voice have in common, and leave packs that stream."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training and export need torch: install the extra `train`")

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper

from engines.base import TensorSpec
from engines.convert.pack import write_pack
from engines.nets.heads import Head
from engines.packs import load_pack
from engines.training.clips import TrainingError
from engines.training.heads import HeadRecipe, Vectors, train_heads, write_heads
from monitor.session.models import load_speech
from monitor.window.stream_encoder import StreamEncoder


def clips(count: int, seed: int, subjects: int = 4, steps: int = 90) -> list[Vectors]:
    """Lips and voice that show the same hidden walk through two different maps, the voice two steps late."""
    random, maps = np.random.default_rng(seed), np.random.default_rng(7)
    to_lips, to_voice = maps.normal(size=(6, 20)), maps.normal(size=(6, 30))
    made = []
    for n in range(count):
        walk = np.cumsum(random.normal(size=(steps + 2, 6)), 0)
        hidden = np.diff(walk, axis=0, prepend=walk[:1])
        lips = hidden[2:] @ to_lips + 0.3 * random.normal(size=(steps, 20))
        voice = hidden[:-2] @ to_voice + 0.3 * random.normal(size=(steps, 30))
        good = np.ones(steps, np.bool_)
        arrays = (lips.astype(np.float32), voice.astype(np.float32))
        made.append(Vectors(f"{n}", f"p{n % subjects}", "all", *arrays, good))
    return made


RECIPE = HeadRecipe(minutes=5, batch=16, max_steps=60, windows=(2.0,), noise=0.05, weights={"all": 1.0})


def test_heads_separate_people_that_training_did_not_see() -> None:
    seen: list[float] = []
    heads = train_heads(clips(24, 0), clips(12, 1), RECIPE, lambda news: seen.append(news["done"]))
    assert heads.steps == 60
    assert seen == sorted(seen)
    (found,) = heads.held_out
    assert found.auc_other > 0.95
    assert found.auc_shift > 0.95


def test_clips_without_speech_are_one_line() -> None:
    nothing = np.zeros((30, 2), np.float32)
    silent = [Vectors("a", "p", "all", nothing, nothing, np.zeros(30, np.bool_))]
    with pytest.raises(TrainingError, match="no clip has ten usable frames"):
        train_heads(silent, [], RECIPE, lambda _: None)


@torch.no_grad()
def test_a_stream_through_a_head_is_the_clip() -> None:
    head = Head(20).eval()
    frames, state, found = torch.randn(1, 40, 20), torch.zeros(1, head.state_size), []
    for at in range(0, 40, 8):
        vectors, state = head.step(frames[:, at : at + 8], state)
        found.append(vectors)
    streamed, whole, reach = torch.cat(found, 1), head(frames), head.reach
    assert float((streamed[:, 2 * reach :] - whole[:, reach:-reach]).abs().max()) < 1e-4


def front(width: int, output: str) -> bytes:
    """A map of single frames, as AV-HuBERT's sound has it: what a head is put on, whatever made it."""
    frames, vectors = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "time", width]) for name in ("frames", output)
    )
    weight = np.random.default_rng(width).normal(0, width**-0.5, (width, width)).astype(np.float32)
    node = helper.make_node("MatMul", ["frames", "weight"], [output])
    graph = helper.make_graph([node], "front", [frames], [vectors], [numpy_helper.from_array(weight, "weight")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data: bytes = model.SerializeToString()
    return data


def test_heads_are_packs_beside_their_fronts(tmp_path: Path) -> None:
    heads = train_heads(clips(8, 0), [], HeadRecipe(minutes=5, batch=4, max_steps=2, windows=()), lambda _: None)
    for name, width in (("speech_lips", 20), ("speech_voice", 30)):
        about = {"name": name, "version": "9", "licence": "MIT (a test)", "source": "", "preprocessing": {"reach": 0}}
        output = name.removeprefix("speech_")
        inputs, outputs = ((TensorSpec(tensor, (-1, width)),) for tensor in ("frames", output))
        write_pack(tmp_path / name, front(width, output), inputs, outputs, about, "a card")
    names = (("speech_lips", "speech_lips_head"), ("speech_voice", "speech_voice_head"))
    write_heads(heads, tmp_path, names, {"clips": 8})
    manifest = load_pack(tmp_path / "speech_voice_head").manifest
    assert manifest.licence == "that of its encoder: MIT (a test)"
    assert manifest.inputs[0] == TensorSpec("frames", (-1, 30))
    speech = load_speech(tmp_path)
    frames = np.random.default_rng(0).normal(size=(40, 30)).astype(np.float32)
    found = StreamEncoder(speech.voice).push(0, {"frames": frames}, np.ones(40, np.bool_))
    vectors = np.concatenate([chunk.vectors for chunk in found])
    assert vectors.shape == (40 - heads.voice.reach, 128)
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-4
