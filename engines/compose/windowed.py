"""A network over a whole window (a transformer) behind the interface of a stream.

The frames that came before are stored as state, so that the front of an encoder, which is run before this, sees each
frame once; a chunk of new frames costs one pass over the stored window. The output for a frame is read where the
network has seen `reach` frames more. Unlike a convolution's, such an answer depends a little on where the chunks begin.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engines.base import Arrays, Engine, FloatArray, Manifest, ModelPackError, TensorSpec, check_inputs, zeros

STATE, STATE_OUT, MASK = "state", "state_out", "mask"


class Windowed:
    """Runs a pack that takes frames (B, T, F) and a mask (B, T) of those that are there, and gives (B, T, D).

    The manifest's `preprocessing` says how many frames are stored (`window`) and how long an answer waits (`reach`).
    """

    def __init__(self, network: Engine) -> None:
        self._network = network
        about = network.manifest.preprocessing
        frames = [spec.shape for spec in network.manifest.inputs if spec.name != MASK]
        self._reach, self._window = int(about.get("reach", -1)), int(about.get("window", 0))
        if len(frames) != 1 or len(frames[0]) != 2 or not 0 <= self._reach < self._window:
            raise ModelPackError(f"{network.manifest.name} is no network over a window of frames: convert it anew")
        self._width = frames[0][1]
        self._manifest = self._described(network.manifest)

    @property
    def manifest(self) -> Manifest:
        """The network's manifest with a state in place of the mask."""
        return self._manifest

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        """Run one batch; see `Engine.run`."""
        check_inputs(self._manifest, inputs)
        name, output = self._manifest.inputs[0].name, self._manifest.outputs[0].name
        new, batch = inputs[name], inputs[name].shape[0]
        past = inputs[STATE].reshape(batch, self._window, self._width + 1)
        fed = np.concatenate([new, np.ones((*new.shape[:2], 1), np.float32)], 2)
        joined = np.concatenate([past, fed], 1)
        frames, mask = np.ascontiguousarray(joined[..., :-1]), np.ascontiguousarray(joined[..., -1])
        vectors = self._network.run({name: frames, MASK: mask})[output]
        first = self._window - self._reach
        state = np.ascontiguousarray(joined[:, -self._window :]).reshape(batch, -1)
        return {output: vectors[:, first : first + new.shape[1]], STATE_OUT: state}

    def warm_up(self) -> None:
        """Run once on zeros."""
        self.run(zeros(self._manifest))

    def _described(self, network: Manifest) -> Manifest:
        size = self._window * (self._width + 1)
        frames = next(spec for spec in network.inputs if spec.name != MASK)
        return replace(
            network,
            inputs=(frames, TensorSpec(STATE, (size,))),
            outputs=(network.outputs[0], TensorSpec(STATE_OUT, (size,))),
        )
