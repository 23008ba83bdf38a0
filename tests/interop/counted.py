"""`sidewitness serve` that also says, for each line that it reads, what it holds: one line of JSON.

That is its asyncio tasks by the name of their coroutine, and how many threads are of pools: these grow to their fixed
size when they are first needed, whoever needs them.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections import Counter

import uvloop

from monitor.cli import main

PREFIX = "held: "
POOLS = ("session", "asyncio_")
_loops: list[asyncio.AbstractEventLoop] = []
_new_event_loop = uvloop.new_event_loop


def _remembered() -> uvloop.Loop:
    loop = _new_event_loop()
    _loops.append(loop)
    return loop


def _say(loop: asyncio.AbstractEventLoop) -> None:
    names = Counter(getattr(task.get_coro(), "__qualname__", "?") for task in asyncio.all_tasks(loop))
    pooled = sum(thread.name.startswith(POOLS) for thread in threading.enumerate())
    sys.stdout.write(PREFIX + json.dumps({"tasks": names, "pooled": pooled}) + "\n")
    sys.stdout.flush()


def _answer() -> None:
    for _ in sys.stdin:
        _loops[-1].call_soon_threadsafe(_say, _loops[-1])


if __name__ == "__main__":
    uvloop.new_event_loop = _remembered
    threading.Thread(target=_answer, daemon=True).start()
    main()
