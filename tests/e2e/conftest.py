"""One browser and one scripted sidecar for all pages: starting them and filling their caches takes longer than a test.

Each test has a page of its own; pages share a context, and so the cache, with those of the same width and permissions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext

from tests.e2e.browser import chromium
from tests.e2e.dashboard_fixtures import Sidecar, running_sidecar
from tests.e2e.visit import Visit, visiting

WIDTHS_PX = (375, 1440)
DESK_PX = 1440
HEIGHT_PX = 812
CAMERA = ("camera", "microphone")

Contexts = Callable[[int, tuple[str, ...]], Awaitable[BrowserContext]]


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A browser with one fake camera and microphone."""
    async with chromium(devices=1) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def bare_browser() -> AsyncIterator[Browser]:
    """A browser without a camera or a microphone."""
    async with chromium(devices=0) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def server() -> AsyncIterator[Sidecar]:
    """The scripted sidecar."""
    async with running_sidecar() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def sidecar(server: Sidecar) -> Sidecar:
    """The scripted sidecar, which has forgotten the tests before."""
    await server.reset()
    return server


@pytest.fixture(scope="session")
def contexts(browser: Browser) -> Contexts:
    """A context for each width and set of permissions, made once."""
    made: dict[tuple[int, tuple[str, ...]], BrowserContext] = {}

    async def get(width: int, permissions: tuple[str, ...] = ()) -> BrowserContext:
        key = (width, permissions)
        if key not in made:
            made[key] = await browser.new_context(viewport={"width": width, "height": HEIGHT_PX})
            await made[key].grant_permissions(permissions)
        return made[key]

    return get


async def _sound(context: BrowserContext, sidecar: Sidecar) -> AsyncIterator[Visit]:
    async with visiting(context, sidecar) as visit:
        yield visit
        assert visit.complaints == []
        assert await visit.overflow() <= 0


@pytest_asyncio.fixture(loop_scope="session", params=WIDTHS_PX)
async def visit(request: pytest.FixtureRequest, contexts: Contexts, sidecar: Sidecar) -> AsyncIterator[Visit]:
    """A fresh page at each width; at the end it must have complained of nothing and fit the window."""
    async for made in _sound(await contexts(request.param, ()), sidecar):
        yield made


@pytest_asyncio.fixture(loop_scope="session", params=WIDTHS_PX)
async def camera(request: pytest.FixtureRequest, contexts: Contexts, sidecar: Sidecar) -> AsyncIterator[Visit]:
    """As `visit`, with camera and microphone allowed."""
    async for made in _sound(await contexts(request.param, CAMERA), sidecar):
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def desk(contexts: Contexts, sidecar: Sidecar) -> AsyncIterator[Visit]:
    """A fresh page at desk width, for what does not depend on it."""
    async with visiting(await contexts(DESK_PX, ()), sidecar) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def desk_camera(contexts: Contexts, sidecar: Sidecar) -> AsyncIterator[Visit]:
    """As `desk`, with camera and microphone allowed."""
    async with visiting(await contexts(DESK_PX, CAMERA), sidecar) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def lone(browser: Browser, sidecar: Sidecar) -> AsyncIterator[Visit]:
    """A page in a context of its own, for tests that change what its context shares, such as the clock."""
    context = await browser.new_context(viewport={"width": DESK_PX, "height": HEIGHT_PX})
    async with visiting(context, sidecar) as made:
        yield made
    await context.close()
