"""An engine that has no time while it is told so, as one behind a batcher that is overloaded."""

from __future__ import annotations

from engines.base import Arrays, Engine, FloatArray, Manifest
from engines.batching.queue import Drop, Dropped


class Refusing:
    """Answers as `engine` does, and drops what it is asked while it `refuses`."""

    def __init__(self, engine: Engine, refuses: bool = False) -> None:
        self._engine, self.refuses = engine, refuses

    @property
    def manifest(self) -> Manifest:
        return self._engine.manifest

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        if self.refuses:
            raise Dropped(Drop.DEADLINE)
        return self._engine.run(inputs)

    def warm_up(self) -> None:
        self._engine.warm_up()
