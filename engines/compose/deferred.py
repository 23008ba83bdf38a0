"""Engines that are compiled when somebody needs them: what few calls use costs the others neither time nor memory.

A pack is verified at once, so that an altered one is reported at the start; only its compilation waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from engines.base import Arrays, Engine, FloatArray, Manifest


class Deferred:
    """An engine that compiles at its first call, or before by `warm_up`; several callers wait for one compilation."""

    def __init__(self, manifest: Manifest, build: Callable[[], Engine]) -> None:
        self._manifest, self._build = manifest, build
        self._lock = threading.Lock()
        self._engine: Engine | None = None

    @property
    def manifest(self) -> Manifest:
        """The manifest of the pack that this engine runs."""
        return self._manifest

    @property
    def ready(self) -> bool:
        """Whether a call would not wait for the compilation."""
        return self._engine is not None

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        """Run one batch; see `Engine.run`. Raises `EngineError` where the pack cannot be compiled, at every call."""
        return self._compiled().run(inputs)

    def warm_up(self) -> None:
        """Compile, unless that has been done; raises `EngineError`."""
        self._compiled()

    def _compiled(self) -> Engine:
        if self._engine is None:
            with self._lock:
                if self._engine is None:
                    self._engine = self._build()
        return self._engine
