"""The threads that judge: one works alone for as long as it keeps up, the others help it out where it is late.

Python's lock lets one thread at a time through all that is not inside a library. Two sessions at work at once hand it
to each other thousands of times a second, which costs a twentieth of what they use (decision 78): worth it where one
thread is not enough, and lost where it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Generic, ParamSpec, TypeVar

# A job that has waited for so long in vain is another thread's: short beside the half second that a score is old
# anyway, and longer than the wait for a step of somebody else.
LATE_SECONDS = 0.05

P = ParamSpec("P")
T = TypeVar("T")


class SessionPool(Executor):
    """Up to `workers` threads; to be given work on the event loop. Nothing here bounds how much waits."""

    def __init__(self, workers: int, late_seconds: float = LATE_SECONDS) -> None:
        self._first = ThreadPoolExecutor(1, thread_name_prefix="session")
        self._others = ThreadPoolExecutor(workers - 1, thread_name_prefix="session") if workers > 1 else None
        self._late_seconds = late_seconds

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a function called by the first thread, or by another one where that is late."""
        if self._others is None:
            return self._first.submit(fn, *args, **kwargs)
        job = _Job(fn, args, kwargs)
        # Where the pool is shut down before its turn has come it has none.
        self._first.submit(job).add_done_callback(job.forsaken)
        asyncio.get_running_loop().call_later(self._late_seconds, self._help, job)
        return job.outcome

    def _help(self, job: _Job[Any]) -> None:
        if self._others is not None and job.waits:
            self._others.submit(job)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more; see `concurrent.futures.Executor.shutdown`."""
        others, self._others = self._others, None
        for pool in (self._first, *([others] if others is not None else [])):
            pool.shutdown(wait, cancel_futures=cancel_futures)


class _Job(Generic[T]):
    """A call that is done once, by whoever comes to it first."""

    def __init__(self, fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._call: list[Callable[[], T]] = [partial(fn, *args, **kwargs)]
        self.outcome: Future[T] = Future()

    @property
    def waits(self) -> bool:
        """Whether nobody has come to it."""
        return bool(self._call) and not self.outcome.cancelled()

    def __call__(self) -> None:
        try:
            # Of several threads one gets it.
            call = self._call.pop()
        except IndexError:
            return
        if not self.outcome.set_running_or_notify_cancel():
            return
        try:
            self.outcome.set_result(call())
        except BaseException as error:
            self.outcome.set_exception(error)

    def forsaken(self, turn: Future[None]) -> None:
        """Take note that its turn is over: where it was called off, so is this."""
        if turn.cancelled() and self.waits:
            self._call.clear()
            self.outcome.cancel()
