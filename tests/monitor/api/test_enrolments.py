from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.api.enrolments import (
    REMEMBERED_FOR,
    REMEMBERED_JOBS,
    Busy,
    Enrolments,
    Job,
    Message,
    Order,
    Progress,
    Refused,
    State,
)
from monitor.api.uploads import Upload

PATIENCE = 10.0


@dataclass
class Worker:
    """Enrols as the name of the person says; `gate` holds it up while it is clear."""

    began: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    at_work: threading.Event = field(default_factory=threading.Event)

    def __call__(self, order: Order, clips: Sequence[Path], progress: Progress) -> Message:
        self.began.append(order.name)
        assert all(clip.exists() for clip in clips)
        progress("Looking", 0.5)
        self.at_work.set()
        assert self.gate.wait(PATIENCE)
        progress("Sealing", 0.9)
        if order.name == "short":
            raise Refused(["too short: send 60 s", "and too dark"])
        if order.name == "broken":
            raise ValueError("a secret")
        return {"quality": {"shots": 4}, "poses": []}


@pytest.fixture
def worker() -> Worker:
    made = Worker()
    made.gate.set()
    return made


@pytest.fixture
async def enrolments(worker: Worker) -> AsyncIterator[Enrolments]:
    made = Enrolments(worker, capacity=3)
    yield made
    worker.gate.set()
    await made.close()


@dataclass
class Desk:
    """Hands in orders with a clip each."""

    enrolments: Enrolments
    folder: Path
    count: int = 0

    def submit(self, name: str) -> Job:
        self.count += 1
        place = self.folder / str(self.count)
        place.mkdir()
        (place / "a.mp4").write_bytes(b"x")
        with self.enrolments.reserve(name):
            return self.enrolments.submit(Order(name, "api", None), Upload(place, (place / "a.mp4",)))


@pytest.fixture
def desk(enrolments: Enrolments, tmp_path: Path) -> Desk:
    return Desk(enrolments, tmp_path)


async def ended(job: Job) -> State:
    await asyncio.wait_for(job.ended.wait(), PATIENCE)
    return job.state


async def running(worker: Worker) -> None:
    assert await asyncio.to_thread(worker.at_work.wait, PATIENCE)


async def test_an_enrolment_is_done_and_its_clips_are_gone(desk: Desk) -> None:
    job = desk.submit("jane")
    assert job.state is State.WAITING
    assert await ended(job) is State.DONE
    assert not job.upload.folder.exists()
    assert desk.enrolments.find(job.id) is job
    told = job.describe()
    assert (told["state"], told["progress"], told["quality"]) == ("done", 1.0, {"shots": 4})
    assert (told["identity"], told["reasons"], told["stage"]) == ("jane", [], "")


@pytest.mark.parametrize(
    ("name", "state", "reasons"),
    [
        ("short", State.REFUSED, ("too short: send 60 s", "and too dark")),
        ("broken", State.FAILED, ("The enrolment broke down. The sidecar's log says where.",)),
    ],
)
async def test_one_that_is_not_done_says_why(desk: Desk, name: str, state: State, reasons: tuple[str, ...]) -> None:
    job = desk.submit(name)
    assert await ended(job) is state
    assert job.reasons == reasons
    assert not job.upload.folder.exists()


async def test_one_at_a_time_in_order_and_no_more_than_fit(desk: Desk, worker: Worker) -> None:
    worker.gate.clear()
    jobs = [desk.submit(name) for name in ("a", "b")]
    await running(worker)
    assert [job.state for job in jobs] == [State.RUNNING, State.WAITING]
    with pytest.raises(Busy, match="already"):
        desk.submit("a")
    with desk.enrolments.reserve("c"):
        with pytest.raises(Busy, match="too many"):
            desk.submit("d")
        with pytest.raises(Busy, match="already"), desk.enrolments.reserve("c"):
            pass
    jobs.append(desk.submit("d"))
    worker.gate.set()
    assert [await ended(job) for job in jobs] == [State.DONE] * 3
    assert worker.began == ["a", "b", "d"]
    assert await ended(desk.submit("a")) is State.DONE


async def test_what_runs_and_what_waits_can_be_cancelled(desk: Desk, worker: Worker) -> None:
    worker.gate.clear()
    first, second = desk.submit("a"), desk.submit("b")
    await running(worker)
    stopping = [asyncio.create_task(desk.enrolments.cancel(job)) for job in (second, first)]
    await asyncio.sleep(0)
    worker.gate.set()
    assert await asyncio.gather(*stopping) == [True, True]
    assert [first.state, second.state] == [State.CANCELLED] * 2
    assert worker.began == ["a"]
    assert desk.enrolments.jobs() == []
    assert not first.upload.folder.exists()
    assert not second.upload.folder.exists()


async def test_who_is_erased_is_forgotten(desk: Desk, worker: Worker) -> None:
    done, other = desk.submit("a"), desk.submit("b")
    await ended(done)
    await ended(other)
    worker.gate.clear()
    again = desk.submit("a")
    forgetting = asyncio.create_task(desk.enrolments.forget("a"))
    await running(worker)
    worker.gate.set()
    assert await forgetting
    assert desk.enrolments.jobs() == [other]
    assert again.state in (State.CANCELLED, State.DONE)


async def test_who_is_erased_while_the_clips_arrive_does_not_come_back(desk: Desk, worker: Worker) -> None:
    with desk.enrolments.reserve("a"):
        assert await desk.enrolments.forget("a")
        job = desk.enrolments.submit(Order("a", "api", None), Upload(desk.folder / "none", ()))
    assert await ended(job) is State.CANCELLED
    assert worker.began == []
    assert await ended(desk.submit("a")) is State.DONE


async def test_what_does_not_stop_is_said(desk: Desk, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.api.enrolments.STOP_SECONDS", 0.01)
    worker.gate.clear()
    job = desk.submit("a")
    await running(worker)
    assert not await desk.enrolments.cancel(job)
    assert desk.enrolments.find(job.id) is job
    worker.gate.set()
    assert await ended(job) is State.CANCELLED


async def test_closing_ends_everything(desk: Desk, worker: Worker) -> None:
    worker.gate.clear()
    jobs = [desk.submit(name) for name in ("a", "b")]
    await running(worker)
    closing = asyncio.create_task(desk.enrolments.close())
    await asyncio.sleep(0)
    with pytest.raises(Busy, match="shutting down"):
        desk.submit("c")
    worker.gate.set()
    await closing
    assert [job.state for job in jobs] == [State.CANCELLED] * 2
    assert not any(job.upload.folder.exists() for job in jobs)


async def test_a_queue_that_is_closed_before_a_turn_comes_leaves_no_clips(
    desk: Desk, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.api.enrolments.STOP_SECONDS", 0.01)
    worker.gate.clear()
    running_one, waiting_one = desk.submit("a"), desk.submit("b")
    await running(worker)
    await desk.enrolments.close()
    assert await ended(waiting_one) is State.CANCELLED
    assert not waiting_one.upload.folder.exists()
    worker.gate.set()
    assert await ended(running_one) is State.CANCELLED


async def test_only_so_many_and_only_so_long_are_remembered(desk: Desk) -> None:
    jobs = []
    for n in range(REMEMBERED_JOBS + 2):
        jobs.append(desk.submit(str(n)))
        await ended(jobs[-1])
    assert desk.enrolments.jobs() == jobs[-REMEMBERED_JOBS:]
    jobs[-1].since -= REMEMBERED_FOR + timedelta(seconds=1)
    assert desk.enrolments.find(jobs[-1].id) is None
