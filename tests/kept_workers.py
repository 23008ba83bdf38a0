"""One worker process that the pools of a test process share: it imports and loads the models once, not in every test.

It is given up where the environment has changed since it began, when a task has ended it, and when a pool is left with
work undone. The tests of the pool itself start their own (`tests/monitor/lab/evaluate/test_worker_pool.py`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

import pytest

# Whoever analyses or scores clips in processes of their own.
USERS = (
    "monitor.lab.corpus.face_shots",
    "monitor.lab.corpus.manifest",
    "monitor.lab.corpus.portraits",
    "monitor.lab.evaluate.worker_pool",
)
# What pytest says of the test that runs.
PASSING = "PYTEST_CURRENT_TEST"


class KeptWorker:
    """Holds the process, if there is one."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._began: tuple[Any, ...] = ()

    def pool(self, context: BaseContext) -> ProcessPoolExecutor:
        """Give a pool of the one process, which begins with the first task."""
        environ = {name: value for name, value in os.environ.items() if name != PASSING}
        now = (environ, tuple(sys.path), Path.cwd())
        if self._pool is None or now != self._began:
            self.give_up()
            self._pool, self._began = ProcessPoolExecutor(1, context), now
        return self._pool

    def give_up(self) -> None:
        """End the process."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._pool = None


class Lease(Executor):
    """A pool as its user sees it, however many processes were asked for."""

    def __init__(
        self,
        kept: KeptWorker,
        _workers: int,
        context: BaseContext,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
    ) -> None:
        self._kept, self._pool, self._waiting = kept, kept.pool(context), list[Future[Any]]()
        if initializer is not None:
            self.submit(initializer, *initargs)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have the process do it, after what it was given before."""
        self._waiting.append(self._pool.submit(fn, *args, **kwargs))
        return self._waiting[-1]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the process to the next one if it is free."""
        if not all(future.done() for future in self._waiting) or getattr(self._pool, "_broken", False):
            self._kept.give_up()


@contextmanager
def sharing(worker: KeptWorker) -> Iterator[None]:
    """Have every pool of `USERS` that begins in here be the kept process."""
    with pytest.MonkeyPatch.context() as patch:
        for name in USERS:
            patch.setattr(f"{name}.ProcessPoolExecutor", lambda *args: Lease(worker, *args))
        yield
