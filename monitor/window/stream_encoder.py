"""A streaming encoder: chunks of grid steps in, one vector a step out, and every step passes the network once.

The network's output lags its input by `reach` steps; its output for steps before the stream began is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engines.base import CHUNK_STEPS, Engine, EngineError
from monitor.types import BoolArray, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class EncodedSteps:
    """Vectors (n, D) of grid steps first..first+n and the flag (n,), or flags (n, k), that came in with each step."""

    first: int
    vectors: FloatArray
    flags: BoolArray


class StreamEncoder:
    """Takes consecutive grid steps and runs the engine every `chunk` of them; `names` are the inputs to feed."""

    def __init__(self, engine: Engine, chunk: int = CHUNK_STEPS) -> None:
        self._engine = engine
        # A network over a window costs the same for one new step as for many.
        self.chunk = max(chunk, int(engine.manifest.preprocessing.get("chunk", 1)))
        self._reach = int(engine.manifest.preprocessing["reach"])
        sizes = {spec.name: spec.shape for spec in engine.manifest.inputs}
        self._state_shape = (1, *sizes["state"]) if "state" in sizes else None
        self.names = tuple(name for name in sizes if name != "state")
        self._output = next(spec.name for spec in engine.manifest.outputs if spec.name != "state_out")
        self.reset()

    def reset(self) -> None:
        """Drop the stream's state; the next push starts another stream."""
        self._state = None if self._state_shape is None else np.zeros(self._state_shape, np.float32)
        self._start: int | None = None
        self._steps_fed = 0
        self._pending_inputs: dict[str, list[FloatArray]] = {}
        self._flags: list[BoolArray] = []

    def push(self, first: int, inputs: Mapping[str, FloatArray], flags: BoolArray) -> list[EncodedSteps]:
        """Take steps first..first+n, arrays (n, ...) by input name; returns the output of every whole chunk.

        `flags` (n,) or (n, k) come out with the vectors of their steps.

        Steps that do not continue the last ones start the stream anew.
        """
        if self._start is None or first != self._start + self._steps_fed + self._pending:
            self.reset()
            self._start = first
        for name, array in inputs.items():
            self._pending_inputs.setdefault(name, []).extend(np.asarray(array, np.float32))
        self._flags.extend(flags)
        out = []
        while self._pending >= self.chunk:
            encoded = self._run()
            if encoded is not None:
                out.append(encoded)
        return out

    @property
    def _pending(self) -> int:
        return min((len(steps) for steps in self._pending_inputs.values()), default=0)

    def _run(self) -> EncodedSteps | None:
        chunk = {name: np.stack(steps[: self.chunk])[None] for name, steps in self._pending_inputs.items()}
        self._pending_inputs = {name: steps[self.chunk :] for name, steps in self._pending_inputs.items()}
        if self._state is not None:
            chunk["state"] = self._state
        try:
            out = self._engine.run(chunk)
        except EngineError:
            # Steps that the network has not seen are a gap, after which a stream starts anew.
            self.reset()
            raise
        self._state = out.get("state_out")
        vectors, offset = out[self._output][0], self._steps_fed - self._reach
        self._steps_fed += self.chunk
        warm_up = min(max(-offset, 0), len(vectors))
        vectors = vectors[warm_up:]
        if self._start is None or len(vectors) == 0:
            return None
        flags = np.array(self._flags[: len(vectors)], np.bool_)
        self._flags = self._flags[len(vectors) :]
        return EncodedSteps(self._start + offset + warm_up, vectors, flags)
