"""An encoder over a stream: whole chunks in, one vector a grid step out, each step passing the network once.

The network answers late by its `reach`; what it says of the steps before a stream began is thrown away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engines.base import CHUNK, Engine, EngineError
from monitor.types import BoolArray, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class EncodedSteps:
    """Vectors (n, D) of grid steps first..first+n and the flag (n,) that came in with each step."""

    first: int
    vectors: FloatArray
    flags: BoolArray


class StreamEncoder:
    """Feed it consecutive grid steps; it runs the engine every `chunk` steps. `names` are the inputs to feed."""

    def __init__(self, engine: Engine, chunk: int = CHUNK) -> None:
        self._engine = engine
        # A network over a window costs the same for one new step as for many.
        self._chunk = max(chunk, int(engine.manifest.preprocessing.get("chunk", 1)))
        self._reach = int(engine.manifest.preprocessing["reach"])
        sizes = {spec.name: spec.shape for spec in engine.manifest.inputs}
        self._state_shape = (1, *sizes["state"]) if "state" in sizes else None
        self.names = tuple(name for name in sizes if name != "state")
        self._output = next(spec.name for spec in engine.manifest.outputs if spec.name != "state_out")
        self.reset()

    def reset(self) -> None:
        """Forget the stream; the next push starts another."""
        self._state = None if self._state_shape is None else np.zeros(self._state_shape, np.float32)
        self._start: int | None = None
        self._fed = 0
        self._waiting: dict[str, list[FloatArray]] = {}
        self._flags: list[bool] = []

    def push(self, first: int, inputs: Mapping[str, FloatArray], flags: BoolArray) -> list[EncodedSteps]:
        """Take steps first..first+n, arrays (n, ...) by input name; give what whole chunks yield.

        Steps that do not continue the last ones start the stream anew.
        """
        if self._start is None or first != self._start + self._fed + self._pending:
            self.reset()
            self._start = first
        for name, array in inputs.items():
            self._waiting.setdefault(name, []).extend(np.asarray(array, np.float32))
        self._flags.extend(bool(flag) for flag in flags)
        out = []
        while self._pending >= self._chunk:
            encoded = self._run()
            if encoded is not None:
                out.append(encoded)
        return out

    @property
    def _pending(self) -> int:
        return min((len(steps) for steps in self._waiting.values()), default=0)

    def _run(self) -> EncodedSteps | None:
        chunk = {name: np.stack(steps[: self._chunk])[None] for name, steps in self._waiting.items()}
        self._waiting = {name: steps[self._chunk :] for name, steps in self._waiting.items()}
        if self._state is not None:
            chunk["state"] = self._state
        try:
            out = self._engine.run(chunk)
        except EngineError:
            # What the network has not seen is a gap, behind which a stream begins anew.
            self.reset()
            raise
        self._state = out.get("state_out")
        vectors, at = out[self._output][0], self._fed - self._reach
        self._fed += self._chunk
        early = min(max(-at, 0), len(vectors))
        vectors = vectors[early:]
        if self._start is None or len(vectors) == 0:
            return None
        flags = np.array(self._flags[: len(vectors)], np.bool_)
        self._flags = self._flags[len(vectors) :]
        return EncodedSteps(self._start + at + early, vectors, flags)
