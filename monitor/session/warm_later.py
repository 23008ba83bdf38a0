"""What only people with a claimed identity need: compiled in a thread of its own when the first of them comes.

Until it is there their detectors say `warming_up`, and nobody else notices.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence

import structlog

from engines.base import EngineError
from engines.compose.deferred import Deferred

# Live calls go first on a busy machine.
NICENESS = 10
LOWEST = 19


class Later:
    """Deferred engines that are needed together; `prepare` compiles them in the background."""

    def __init__(self, engines: Sequence[Deferred] = ()) -> None:
        self._engines = tuple(engines)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def ready(self) -> bool:
        """Whether nobody would wait for a compilation; always, where nothing was deferred."""
        return all(engine.ready for engine in self._engines)

    def prepare(self) -> None:
        """Begin, unless all is there or under way; never waits. A failure is logged, and the next call tries again."""
        with self._lock:
            if self.ready or (self._thread is not None and self._thread.is_alive()):
                return
            # No daemon: a runtime that is cut off in the middle of a compilation takes the process down with it.
            self._thread = threading.Thread(target=self._compile, name="later")
            self._thread.start()

    def join(self) -> None:
        """Wait for what is under way."""
        if self._thread is not None:
            self._thread.join()

    def _compile(self) -> None:
        yield_to_calls()
        try:
            for engine in self._engines:
                engine.warm_up()
        except EngineError as error:
            structlog.stdlib.get_logger("later").error("nobody is compared with a claimed identity", why=str(error))


def yield_to_calls() -> None:
    """Lower the priority of this thread, and of those that it starts, below that of live calls."""
    # On Linux niceness is a thread's own; elsewhere this would slow the whole process down.
    if hasattr(os, "sched_getaffinity"):
        thread = threading.get_native_id()
        # Beside that of the process, which may have been lowered already.
        os.setpriority(os.PRIO_PROCESS, thread, min(os.getpriority(os.PRIO_PROCESS, thread) + NICENESS, LOWEST))
