"""aiortc publishes."""

from __future__ import annotations

import contextlib
from importlib.metadata import version

import pytest

from tests.interop.aiortc_client import publishing
from tests.interop.check import Bench
from tests.interop.results import Row

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_aiortc(bench: Bench) -> None:
    row = Row("aiortc", version("aiortc"), "VP8, Opus")
    async with (
        bench.judged(row) as name,
        publishing(bench.host.endpoint(name), bench.clip.webm) as publication,
    ):
        await bench.published(name)
        await publication.delete()


async def test_whoever_only_hangs_up_is_gone_as_well(bench: Bench) -> None:
    """DTLS says goodbye, which ends the session without a DELETE."""
    row = Row("aiortc, without DELETE", version("aiortc"), "VP8, Opus")
    async with bench.judged(row) as name, publishing(bench.host.endpoint(name), bench.clip.webm):
        await bench.published(name)


async def test_several_take_no_thread_and_leave_none(bench: Bench) -> None:
    """FFmpeg gave each participant a thread for each core, until the collector came by."""
    host, names = bench.host, [f"several-{number}" for number in range(2)]
    before = await host.holdings()
    async with contextlib.AsyncExitStack() as stack:
        here = [await stack.enter_async_context(publishing(host.endpoint(name), bench.clip.webm)) for name in names]
        await host.until(lambda: all(len(host.states[name]) > 4 for name in names), 60, "all are judged")
        during = await host.holdings()
        for publication in here:
            await publication.delete()
    await host.nothing_left(before)
    assert during.threads <= before.threads
