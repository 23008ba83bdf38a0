"""Encoders behind encoders: two streams as one, and a network over a window as a stream."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engines.base import Arrays, FloatArray, InputError, Manifest, ModelPackError, TensorSpec, zeros
from engines.compose.stack import Stacked
from engines.compose.windowed import Windowed


def manifest(
    name: str, inputs: dict[str, tuple[int, ...]], outputs: dict[str, tuple[int, ...]], **about: int
) -> Manifest:
    specs = [tuple(TensorSpec(key, shape) for key, shape in side.items()) for side in (inputs, outputs)]
    return Manifest(name, "1", "", specs[0], specs[1], "", "", dict(about))


class Delay:
    """Scales its frames and gives them `reach` late."""

    def __init__(self, width: int, reach: int, factor: float) -> None:
        self.factor, self.width, self.reach = factor, width, reach
        size = width * reach
        self.manifest = manifest(
            "delay", {"x": (-1, width), "state": (size,)}, {"y": (-1, width), "state_out": (size,)}, reach=reach
        )

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        batch = len(inputs["x"])
        joined = np.concatenate([inputs["state"].reshape(batch, self.reach, self.width), inputs["x"]], 1)
        late, states = joined[:, : -self.reach], joined[:, -self.reach :]
        return {"y": self.factor * late, "state_out": states.reshape(batch, -1)}

    def warm_up(self) -> None:
        self.run(zeros(self.manifest))


class Map:
    """Scales its frames, one at a time."""

    manifest = manifest("map", {"x": (-1, 3)}, {"y": (-1, 3)}, reach=0)

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        return {"y": 2 * inputs["x"]}

    def warm_up(self) -> None:
        self.run(zeros(self.manifest))


class Centre:
    """Over a window: each frame less the mean of those that are there."""

    manifest = manifest("centre", {"frames": (-1, 3), "mask": (-1,)}, {"y": (-1, 3)}, reach=2, window=10, chunk=4)

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        mask = inputs["mask"][..., None]
        mean = (inputs["frames"] * mask).sum(1, keepdims=True) / np.maximum(mask.sum(1, keepdims=True), 1)
        return {"y": np.asarray(inputs["frames"] - mean, np.float32)}

    def warm_up(self) -> None:
        self.run(zeros(self.manifest, length=2))


def stepped(engine: Stacked | Windowed, frames: FloatArray, chunk: int, name: str = "x") -> FloatArray:
    """What a stream in chunks gives."""
    state, found = zeros(engine.manifest)["state"], []
    for at in range(0, frames.shape[1], chunk):
        out = engine.run({name: frames[:, at : at + chunk], "state": state})
        state = out["state_out"]
        found.append(out["y"])
    return np.concatenate(found, 1)


@pytest.mark.parametrize("chunk", [1, 4])
def test_delays_and_states_add_up(chunk: int) -> None:
    both = Stacked(Delay(3, 2, 2.0), Delay(3, 3, 5.0))
    frames = np.random.default_rng(0).normal(size=(1, 12, 3)).astype(np.float32)
    assert both.manifest.preprocessing["reach"] == 5
    assert {spec.name: spec.shape for spec in both.manifest.inputs} == {"x": (-1, 3), "state": (15,)}
    assert np.allclose(stepped(both, frames, chunk)[:, 5:], 10 * frames[:, :-5])
    both.warm_up()


def test_a_front_without_a_state_stacks_too() -> None:
    both = Stacked(Map(), Delay(3, 1, 1.0))
    frames = np.random.default_rng(0).normal(size=(1, 6, 3)).astype(np.float32)
    assert np.allclose(stepped(both, frames, 2)[:, 1:], 2 * frames[:, :-1])


def test_what_does_not_fit_is_one_line() -> None:
    with pytest.raises(ModelPackError, match="gives 3 numbers a step, delay takes 4: train the heads anew"):
        Stacked(Map(), Delay(4, 1, 1.0))
    strange = Map()
    strange.manifest = replace(Map.manifest, inputs=(*Map.manifest.inputs, TensorSpec("z", (-1, 3))))
    with pytest.raises(ModelPackError, match="2 tensors of frames where one is needed"):
        Stacked(Map(), strange)
    with pytest.raises(InputError, match="takes the inputs"):
        Stacked(Map(), Delay(3, 1, 1.0)).run({"x": np.zeros((1, 1, 3), np.float32)})


def test_a_window_is_what_has_been_fed_and_nothing_else() -> None:
    windowed = Windowed(Centre())
    frames = np.random.default_rng(0).normal(size=(1, 24, 3)).astype(np.float32)
    found = stepped(windowed, frames, 4, "frames")
    # In the first chunk four frames are there, in the last one the ten kept and four new.
    assert np.allclose(found[:, 2:4], frames[:, :2] - frames[:, :4].mean(1), atol=1e-6)
    assert np.allclose(found[:, -4:], frames[:, 18:22] - frames[:, 10:24].mean(1), atol=1e-6)
    assert windowed.manifest.preprocessing["reach"] == 2
    windowed.warm_up()


def test_a_pack_that_is_no_window_is_one_line() -> None:
    strange = Centre()
    strange.manifest = replace(Centre.manifest, preprocessing={"reach": 12, "window": 10})
    with pytest.raises(ModelPackError, match="centre is no network over a window of frames: convert it anew"):
        Windowed(strange)
