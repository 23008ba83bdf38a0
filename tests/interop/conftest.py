"""What the tests with other people's WebRTC share: one sidecar, one clip, and a row in the table for each client."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.e2e.browser import chromium
from tests.interop.aiortc_client import publishing
from tests.interop.check import Bench, is_judged
from tests.interop.clip import Clip, make_clip
from tests.interop.results import Results
from tests.interop.sidecar import Sidecar, sidecar

# How long each client publishes at least: `make interop` asks for 20 s, `make test` for as long as a judgement takes.
SECONDS = float(os.environ.get("INTEROP_SECONDS", "0"))
RESULTS = os.environ.get("INTEROP_RESULTS")
CLIP_SECONDS = 24.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies here."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.interop)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """What everybody publishes."""
    return make_clip(tmp_path_factory.mktemp("clip"), CLIP_SECONDS)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def host(tmp_path_factory: pytest.TempPathFactory, clip: Clip) -> AsyncIterator[Sidecar]:
    """The sidecar, warm: everything that is made once, by whoever comes first, is there."""
    async with sidecar(tmp_path_factory.mktemp("state")) as made:
        for number in range(2):
            name = f"first-{number}"
            async with publishing(made.endpoint(name), clip.webm) as publication:
                await made.until(lambda n=name: is_judged(made, n, clip), 30, "the first is judged")  # type: ignore[misc]
                await publication.delete()
            await made.gone(name, 5)
        yield made


@pytest.fixture(scope="session")
def results() -> Iterator[Results]:
    """The rows of the table; written where INTEROP_RESULTS names a file."""
    rows = Results()
    yield rows
    if RESULTS:
        rows.write(Path(RESULTS))


@pytest_asyncio.fixture(loop_scope="session")
async def bench(host: Sidecar, clip: Clip, results: Results) -> Bench:
    """What a client's test needs: see `Bench.judged`."""
    return Bench(host, clip, results, SECONDS)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, with one fake camera and microphone."""
    async with chromium(devices=1) as started:
        yield started
