"""An engine that is still being compiled, served by one that is there: the swap is one assignment.

A call runs wholly in the one or the other. What is compiled in the background may fail, and what runs on a GPU may stop
doing so: both leave the engine that was there in its place, and say so once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from engines.base import Arrays, DeviceError, Engine, EngineError, FloatArray, InputError, Manifest

log = logging.getLogger(__name__)


class SwappingEngine:
    """Runs `serving` until `build` has returned, in a thread of its own, a warm engine; then that one."""

    def __init__(self, serving: Engine, build: Callable[[], Engine], name: str) -> None:
        self._serving = self._engine = serving
        self._name = name
        self._failure: EngineError | None = None
        self._reporting = threading.Lock()
        self._thread = threading.Thread(target=self._swap, args=(build,), name=f"build-{serving.manifest.name}")
        # A compilation cannot be interrupted, and must not keep the process alive.
        self._thread.daemon = True
        self._thread.start()

    @property
    def manifest(self) -> Manifest:
        """The manifest of the pack that this engine runs."""
        return self._serving.manifest

    @property
    def running(self) -> Engine:
        """The engine that the next call runs in."""
        return self._engine

    @property
    def failure(self) -> EngineError | None:
        """Why the built engine does not run, None while it is compiled and when it runs."""
        return self._failure

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        """Run one batch; see `Engine.run`. What serves also runs what the other does not take.

        A GPU that fails is given up, and the call that met it is answered all the same.
        """
        engine = self._engine
        if engine is self._serving:
            return engine.run(inputs)
        try:
            return engine.run(inputs)
        except InputError:
            # Longer than it was compiled for, or wrong for either.
            pass
        except DeviceError as error:
            self._give_up(error)
        return self._serving.run(inputs)

    def warm_up(self) -> None:
        """Warm the engine that runs; what is being compiled is warm when it takes over."""
        self._engine.warm_up()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the compilation has ended, well or not, at most so many seconds; say whether it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _swap(self, build: Callable[[], Engine]) -> None:
        try:
            built = build()
            built.warm_up()
        except EngineError as error:
            self._give_up(error)
        except Exception as error:
            self._give_up(EngineError(f"{type(error).__name__} while it was compiled: report it"))
        else:
            self._engine = built
            log.info("%s runs in %s from now on", self.manifest.name, self._name)

    def _give_up(self, error: EngineError) -> None:
        with self._reporting:
            self._engine = self._serving
            if self._failure is not None:
                return
            self._failure = error
        log.warning("%s stays on the engine that served it: %s", self.manifest.name, error)
