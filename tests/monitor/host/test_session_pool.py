"""One thread judges for as long as it keeps up; whatever waits for too long is another's, and is done once."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

import pytest

from monitor.host.session_pool import SessionPool

PATIENCE_SECONDS = 20.0


class Held:
    """A job that says in which thread it is, and goes on when it may."""

    def __init__(self) -> None:
        self.began, self.may_end, self.times = threading.Event(), threading.Event(), 0

    def __call__(self) -> int:
        self.times += 1
        self.began.set()
        assert self.may_end.wait(PATIENCE_SECONDS)
        return threading.get_ident()


def me() -> int:
    return threading.get_ident()


async def test_one_thread_does_what_it_can_keep_up_with() -> None:
    with SessionPool(4, late_seconds=PATIENCE_SECONDS) as pool:
        done = [asyncio.wrap_future(pool.submit(me)) for _ in range(50)]
        assert len(set(await asyncio.gather(*done))) == 1


async def test_what_waits_for_too_long_is_done_by_another_and_once() -> None:
    with SessionPool(2, late_seconds=0.0) as pool:
        first, second = Held(), Held()
        one, other = asyncio.wrap_future(pool.submit(first)), asyncio.wrap_future(pool.submit(second))
        await asyncio.to_thread(first.began.wait, PATIENCE_SECONDS)
        # Both are at work, though the first has not ended.
        assert await asyncio.to_thread(second.began.wait, PATIENCE_SECONDS)
        second.may_end.set()
        late = await other
        first.may_end.set()
        assert late != await one
        # The first thread comes to what the second has done.
        assert await asyncio.wrap_future(pool.submit(me)) in (late, await one)
        assert (first.times, second.times) == (1, 1)


async def test_of_one_thread_nothing_is_helped_out() -> None:
    with SessionPool(1, late_seconds=0.0) as pool:
        done = [asyncio.wrap_future(pool.submit(me)) for _ in range(5)]
        assert len(set(await asyncio.gather(*done))) == 1


async def test_a_failure_is_that_of_the_job() -> None:
    def fail(why: str) -> None:
        raise ValueError(why)

    with SessionPool(2, late_seconds=PATIENCE_SECONDS) as pool:
        with pytest.raises(ValueError, match="broken"):
            await asyncio.wrap_future(pool.submit(fail, why="broken"))
        assert await asyncio.wrap_future(pool.submit(int, "7")) == 7


async def test_whoever_waits_no_longer_has_nothing_done() -> None:
    with SessionPool(2, late_seconds=PATIENCE_SECONDS) as pool:
        busy, given_up = Held(), Held()
        one, other = asyncio.wrap_future(pool.submit(busy)), pool.submit(given_up)
        await asyncio.to_thread(busy.began.wait, PATIENCE_SECONDS)
        assert other.cancel()
        busy.may_end.set()
        await one
        await asyncio.wrap_future(pool.submit(me))
        assert not given_up.times


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_pool_that_is_shut_down_calls_off_what_waits(workers: int) -> None:
    pool, busy = SessionPool(workers, late_seconds=PATIENCE_SECONDS), Held()
    one = asyncio.wrap_future(pool.submit(busy))
    await asyncio.to_thread(busy.began.wait, PATIENCE_SECONDS)
    waiting: list[Future[int]] = [pool.submit(me) for _ in range(3)]
    pool.shutdown(wait=False, cancel_futures=True)
    assert all(job.cancelled() for job in waiting)
    busy.may_end.set()
    assert await one
    with pytest.raises(RuntimeError):
        pool.submit(me)


async def test_a_late_job_of_a_pool_that_is_shut_down_is_left() -> None:
    pool, busy = SessionPool(2, late_seconds=0.0), Held()
    one = asyncio.wrap_future(pool.submit(busy))
    await asyncio.to_thread(busy.began.wait, PATIENCE_SECONDS)
    waiting = pool.submit(me)
    pool.shutdown(wait=False)
    busy.may_end.set()
    assert await asyncio.wrap_future(waiting) == await one
