"""A page that publishes the clip, in Chromium and in Firefox."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.async_api import Browser
from websockets.asyncio.client import ClientConnection, connect

from tests.e2e.browser import folders, serving
from tests.interop.installed import program
from tests.interop.sidecar import TOKEN

PAGES = Path(__file__).parents[1] / "e2e"
CONNECTED_MS = 30_000
FIREFOX_PREFERENCES = {
    # What is played has sound, and nobody clicks.
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "app.normandy.enabled": False,
}


@contextlib.asynccontextmanager
async def pages(clip: Path) -> AsyncIterator[str]:
    """Serve the page and the clip; gives the address of the site."""
    async with serving(folders(pages=PAGES, clips=clip.parent)) as site:
        yield site


def address(site: str, endpoint: str, clip: Path, **more: str) -> str:
    """Address of the page that publishes the clip to an endpoint."""
    query = {"clip": f"{site}/clips/{clip.name}", "endpoint": endpoint, "token": TOKEN, **more}
    return f"{site}/pages/publisher.html?{urlencode(query)}"


@contextlib.asynccontextmanager
async def chromium_page(browser: Browser, url: str) -> AsyncIterator[None]:
    """Publish in Chromium, and leave by DELETE at the end."""
    context = await browser.new_context()
    try:
        page = await context.new_page()
        await page.goto(url)
        await page.wait_for_function("document.title === 'connected'", timeout=CONNECTED_MS)
        yield
        await page.evaluate("leave()")
    finally:
        await context.close()


class BiDi:
    """A session of WebDriver BiDi (W3C), as much of it as opening a page takes."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = count(1)

    async def call(self, method: str, **params: Any) -> Any:
        """Send a command and wait for its result."""
        number = next(self._numbers)
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while (answer := json.loads(await self._socket.recv())).get("id") != number:
            pass
        assert answer["type"] == "success", answer
        return answer["result"]

    async def evaluate(self, context: str, expression: str) -> Any:
        """Evaluate an expression in a page, waiting for what it promises."""
        done = await self.call("script.evaluate", expression=expression, target={"context": context}, awaitPromise=True)
        assert done["type"] == "success", done
        return done["result"].get("value")


@contextlib.asynccontextmanager
async def firefox(folder: Path) -> AsyncIterator[BiDi]:
    """Start a headless Firefox with a fresh profile."""
    profile = folder / "profile"
    profile.mkdir()
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in FIREFOX_PREFERENCES.items()]
    (profile / "user.js").write_text("\n".join(lines))
    executable = program("firefox-esr")
    assert executable is not None
    process = await asyncio.create_subprocess_exec(
        *(executable, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"),
        env={**os.environ, "HOME": str(folder), "MOZ_HEADLESS": "1"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    drained: asyncio.Task[bytes] | None = None
    try:
        async with asyncio.timeout(60):
            while not (found := re.search(r"BiDi listening on (ws://\S+)", (await process.stderr.readline()).decode())):
                assert process.returncode is None, "Firefox has ended"
        drained = asyncio.create_task(process.stderr.read())
        async with connect(f"{found[1]}/session", max_size=None, proxy=None) as socket:
            bidi = BiDi(socket)
            await bidi.call("session.new", capabilities={})
            yield bidi
    finally:
        process.terminate()
        await process.wait()
        if drained is not None:
            await drained


@contextlib.asynccontextmanager
async def firefox_page(bidi: BiDi, url: str) -> AsyncIterator[None]:
    """Publish in Firefox, and leave by DELETE at the end."""
    context = (await bidi.call("browsingContext.create", type="tab"))["context"]
    await bidi.call("browsingContext.navigate", context=context, url=url, wait="complete")
    connected = "new Promise((done) => setInterval(() => document.title === 'connected' && done(true), 50))"
    async with asyncio.timeout(CONNECTED_MS / 1000):
        assert await bidi.evaluate(context, connected)
    yield
    await bidi.evaluate(context, "leave()")
    await bidi.call("browsingContext.close", context=context)
