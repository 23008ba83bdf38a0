"""The bounded queue between the decoder's thread and the reader."""

from __future__ import annotations

import asyncio
import threading

import pytest

from monitor.tap.queue import DropOldestQueue


async def test_the_oldest_goes_and_is_counted() -> None:
    queue: DropOldestQueue[int] = DropOldestQueue(3)
    for n in range(10):
        queue.put(n)
    assert (queue.dropped, len(queue)) == (7, 3)
    queue.close()
    assert [await queue.get() for _ in range(4)] == [7, 8, 9, None]


async def test_a_waiting_reader_is_woken_from_another_thread() -> None:
    queue: DropOldestQueue[str] = DropOldestQueue(2)
    reader = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    thread = threading.Thread(target=queue.put, args=("item",))
    thread.start()
    assert await asyncio.wait_for(reader, 5) == "item"
    thread.join()


async def test_every_item_of_many_threads_is_read_or_counted() -> None:
    queue: DropOldestQueue[int] = DropOldestQueue(50)

    def fill() -> None:
        for n in range(500):
            queue.put(n)

    threads = [threading.Thread(target=fill) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    queue.close()
    read = 0
    while await queue.get() is not None:
        read += 1
    assert read == 50
    assert queue.dropped == 1950


async def test_a_closed_queue_takes_nothing_and_wakes_its_reader() -> None:
    queue: DropOldestQueue[int] = DropOldestQueue(2)
    reader = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.close()
    queue.close()
    assert await asyncio.wait_for(reader, 5) is None
    queue.put(1)
    assert len(queue) == 0


def test_a_put_after_the_loop_has_ended_is_harmless() -> None:
    async def make() -> DropOldestQueue[int]:
        return DropOldestQueue(2)

    queue = asyncio.run(make())
    queue.put(1)
    queue.close()
    assert len(queue) == 1


async def test_a_queue_that_holds_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        DropOldestQueue(0)
