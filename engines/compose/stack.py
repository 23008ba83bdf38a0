"""Two encoders of a stream, one behind the other, as one engine: the output of the first is the input of the second.

Their states travel as one vector and their delays add up, so that whoever runs an encoder need not know that it is two.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engines.base import Arrays, Engine, FloatArray, Manifest, ModelPackError, TensorSpec, check_inputs, zeros

STATE, STATE_OUT = "state", "state_out"


class Stacked:
    """Runs `front`, then `head` on its vectors; raises `ModelPackError` when the one does not fit the other."""

    def __init__(self, front: Engine, head: Engine) -> None:
        self._front, self._head = front, head
        self._output = _frames(front.manifest.outputs, STATE_OUT, front.manifest)
        self._input = _frames(head.manifest.inputs, STATE, head.manifest)
        if self._output.shape != self._input.shape:
            raise ModelPackError(
                f"{front.manifest.name} gives {self._output.shape[-1]} numbers a step, {head.manifest.name} takes "
                f"{self._input.shape[-1]}: train the heads anew for these packs"
            )
        self._cut = _size(front.manifest)
        self._manifest = _joined(front.manifest, head.manifest)

    @property
    def manifest(self) -> Manifest:
        """The front's manifest with the head's vectors, both states in one, and both delays."""
        return self._manifest

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        """Run one batch; see `Engine.run`."""
        check_inputs(self._manifest, inputs)
        state = inputs[STATE]
        front_inputs = {key: value for key, value in inputs.items() if key != STATE}
        if self._cut:
            front_inputs[STATE] = state[:, : self._cut]
        first = self._front.run(front_inputs)
        second = self._head.run({self._input.name: first[self._output.name], STATE: state[:, self._cut :]})
        states = [out[STATE_OUT] for out in (first, second) if STATE_OUT in out]
        return {**second, STATE_OUT: np.concatenate(states, 1)}

    def warm_up(self) -> None:
        """Run once on zeros."""
        self.run(zeros(self._manifest))


def _frames(specs: tuple[TensorSpec, ...], other: str, manifest: Manifest) -> TensorSpec:
    found = [spec for spec in specs if spec.name != other]
    if len(found) != 1:
        raise ModelPackError(f"{manifest.name} has {len(found)} tensors of frames where one is needed: convert it anew")
    return found[0]


def _size(manifest: Manifest) -> int:
    return next((spec.shape[0] for spec in manifest.inputs if spec.name == STATE), 0)


def _joined(front: Manifest, head: Manifest) -> Manifest:
    size = _size(front) + _size(head)
    reach = int(front.preprocessing["reach"]) + int(head.preprocessing["reach"])
    chunk = max(int(manifest.preprocessing.get("chunk", 1)) for manifest in (front, head))
    return replace(
        front,
        inputs=(*(spec for spec in front.inputs if spec.name != STATE), TensorSpec(STATE, (size,))),
        outputs=(*(spec for spec in head.outputs if spec.name != STATE_OUT), TensorSpec(STATE_OUT, (size,))),
        preprocessing={**front.preprocessing, "reach": reach, "chunk": chunk},
    )
