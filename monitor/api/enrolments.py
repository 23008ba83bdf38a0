"""Enrolments over the API, one after another: a bounded queue of jobs, one worker, and what became of each for a while.

A job ends as done, refused, failed or cancelled, and its clips are deleted however it ends. What is remembered of a
finished one (its quality, landmarks of the accepted poses) is in memory only and goes with the person's erasure.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import structlog

from monitor.alerts.plain import plain
from monitor.api.uploads import Upload
from monitor.identity.vault.records import NO_DETAILS, Details
from monitor.session.warm_later import yield_to_calls
from monitor.types import rfc3339

CAPACITY_JOBS = 4
REMEMBERED_JOBS = 32
REMEMBERED_FOR = timedelta(hours=1)
STOP_SECONDS = 10.0
BROKE_DOWN = "The enrolment broke down. The sidecar's log says where."

Message = dict[str, Any]
Progress = Callable[[str, float], None]
# Enrols a person from clips and seals the reference; returns its description, or raises `Refused`.
Work = Callable[["Order", Sequence[Path], Progress], Message]


class State(StrEnum):
    """Where a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = (State.DONE, State.REFUSED, State.FAILED, State.CANCELLED)


class Refused(Exception):  # noqa: N818 - a refusal, not a failure
    """The clips or the identity are not accepted; `reasons` are sentences for a person."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


class Busy(Exception):  # noqa: N818 - a refusal, not a failure
    """No room for another enrolment, or this person is being enrolled already."""


class _Cancelled(Exception):  # noqa: N818 - not an error
    """The job was told to stop."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be enrolled: `name` as whom, on whose word, and what is known of the person beside."""

    name: str
    actor: str
    consent: Any
    details: Details = NO_DETAILS


@dataclass(slots=True)
class Job:
    """One enrolment; written by the worker, read by whoever asks."""

    order: Order
    upload: Upload
    stop: threading.Event
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    state: State = State.WAITING
    stage: str = ""
    share: float = 0.0
    reasons: tuple[str, ...] = ()
    result: Message = field(default_factory=dict)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def describe(self) -> Message:
        """Return the job as the surface describes it."""
        described: Message = plain(
            {
                "id": self.id,
                "identity": self.order.name,
                "state": self.state,
                "stage": self.stage,
                "progress": round(self.share, 3),
                "since": rfc3339(self.since),
                "reasons": self.reasons,
                **self.result,
            }
        )
        return described


class Enrolments:
    """The queue; everything but the work itself runs on the event loop."""

    def __init__(self, work: Work, capacity: int = CAPACITY_JOBS) -> None:
        self._work = work
        self._capacity = capacity
        self._reserved: dict[str, threading.Event] = {}
        self._jobs: dict[str, Job] = {}
        self._pool = ThreadPoolExecutor(1, "enrolment", yield_to_calls)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def busy(self) -> int:
        """How many people are being enrolled, those included whose clips are on their way."""
        return len(self._names())

    @contextlib.contextmanager
    def reserve(self, name: str) -> Iterator[None]:
        """Hold a place while clips arrive; raises `Busy`."""
        if self._closed:
            raise Busy("the server is shutting down")
        if name in self._names():
            raise Busy("this identity is being enrolled already: wait for it, or cancel it")
        if self.busy >= self._capacity:
            raise Busy("too many enrolments wait")
        self._reserved[name] = threading.Event()
        try:
            yield
        finally:
            del self._reserved[name]

    def submit(self, order: Order, upload: Upload) -> Job:
        """Queue an enrolment, inside `reserve`; its clips are the queue's from now on."""
        self._tidy()
        job = Job(order, upload, self._reserved[order.name])
        self._jobs[job.id] = job
        task = asyncio.create_task(self._run(job), name="enrolment")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    def find(self, job_id: str) -> Job | None:
        """Return a job, or None when there never was one or it is no longer remembered."""
        self._tidy()
        return self._jobs.get(job_id)

    def jobs(self) -> list[Job]:
        """Return every job that is remembered, oldest first."""
        self._tidy()
        return list(self._jobs.values())

    async def cancel(self, job: Job) -> bool:
        """Stop a job and forget it; whether it ended in time. One that was done stays done."""
        job.stop.set()
        try:
            await asyncio.wait_for(job.ended.wait(), STOP_SECONDS)
        except TimeoutError:
            return False
        self._jobs.pop(job.id, None)
        return True

    async def forget(self, name: str) -> bool:
        """Stop and forget every job of a person, one whose clips are on their way too; whether all ended in time."""
        if name in self._reserved:
            self._reserved[name].set()
        mine = [job for job in self.jobs() if job.order.name == name]
        return all(await asyncio.gather(*(self.cancel(job) for job in mine)))

    async def close(self) -> None:
        """Take no more, stop what waits and runs, and delete its clips."""
        self._closed = True
        for job in self._unfinished():
            job.stop.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _names(self) -> set[str]:
        return {job.order.name for job in self._unfinished()} | self._reserved.keys()

    def _unfinished(self) -> list[Job]:
        return [job for job in self._jobs.values() if job.state not in ENDED]

    def _tidy(self) -> None:
        ended = [job for job in self._jobs.values() if job.state in ENDED]
        old = datetime.now(UTC) - REMEMBERED_FOR
        for job in [*ended[:-REMEMBERED_JOBS], *(job for job in ended if job.since < old)]:
            self._jobs.pop(job.id, None)

    async def _run(self, job: Job) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._pool, _do, self._work, job)
        finally:
            if job.state not in ENDED:
                # The queue was closed before its turn came.
                job.upload.delete()
                job.state = State.CANCELLED
            job.ended.set()
        # Neither who nor why: a reason may quote a clip's name.
        structlog.stdlib.get_logger("enrolments").info("an enrolment ended", outcome=str(job.state))


def _do(work: Work, job: Job) -> None:
    def progress(stage: str, share: float) -> None:
        if job.stop.is_set():
            raise _Cancelled
        job.stage, job.share = stage, share

    try:
        job.state, state = State.RUNNING, State.DONE
        progress("", 0.0)
        job.result = work(job.order, job.upload.clips, progress)
        job.share = 1.0
    except _Cancelled:
        state = State.CANCELLED
    except Refused as refusal:
        job.reasons, state = refusal.reasons, State.REFUSED
    except Exception:
        structlog.stdlib.get_logger("enrolments").exception("an enrolment failed")
        job.reasons, state = (BROKE_DOWN,), State.FAILED
    finally:
        # Before the job is said to have ended: whoever hears that may rely on it.
        job.upload.delete()
    job.stage, job.state = "", state
