"""aiortc publishes."""

from __future__ import annotations

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
