"""Chromium and Firefox publish what a page plays."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from monitor.alerts.push import CAPACITY_MESSAGES, Phase, Subscriber
from tests.e2e.browser import CHROMIUM
from tests.interop.browsers import address, chromium_page, firefox, firefox_page, pages
from tests.interop.check import Bench
from tests.interop.installed import needs, version_of
from tests.interop.results import Row
from tests.monitor.api.server import serving, subscription

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.browser]


@needs(CHROMIUM, "chromium")
async def test_chromium(bench: Bench, browser: Browser) -> None:
    row = Row("Chromium", browser.version, "VP8, Opus")
    async with (
        bench.judged(row) as name,
        pages(bench.clip.webm) as site,
        chromium_page(browser, address(site, bench.host.endpoint(name), bench.clip.webm)),
    ):
        await bench.published(name)


@needs("firefox-esr", "firefox-esr")
async def test_firefox(bench: Bench, tmp_path: Path) -> None:
    row = Row("Firefox", version_of("firefox-esr"), "VP8, Opus")
    async with (
        firefox(tmp_path) as bidi,
        bench.judged(row) as name,
        pages(bench.clip.webm) as site,
        firefox_page(bidi, address(site, bench.host.endpoint(name), bench.clip.webm)),
    ):
        await bench.published(name)


CLOSES = """(async () => {
  const closed = (socket) => new Promise((done) => { socket.onclose = ({ code }) => done(code); });
  const ours = new WebSocket(ADDRESS, "sidewitness.alerts.v1");
  ours.onopen = () => ours.send("nonsense");
  const codes = [await closed(ours), await closed(new WebSocket(ADDRESS, ["foo", "bar"]))];
  const slow = new WebSocket(ADDRESS, "sidewitness.alerts.v1");
  slow.onopen = () => slow.send(SUBSCRIBE);
  codes.push(await closed(slow));
  return codes.join(" ");
})()"""


async def codes(
    folder: Path, visit: Callable[[str], Awaitable[object]], evaluate: Callable[[str], Awaitable[Any]]
) -> str:
    """The close codes that a page of the server sees: of nonsense, another subprotocol, a burst that is too much."""
    async with serving(folder) as site:
        hub, waiting = site.components.hub, asyncio.Event()
        join = hub.join

        def joined(subscriber: Subscriber) -> None:
            join(subscriber)
            wake = subscriber.wake

            def woken() -> None:
                wake()
                if subscriber.phase is Phase.LIVE:
                    waiting.set()

            subscriber.wake = woken

        hub.join = joined  # type: ignore[method-assign]
        await visit(site.base)
        address = json.dumps(site.base.replace("http", "ws") + "/v1/alerts")
        subscribe = json.dumps(subscription(states=True))
        seen = asyncio.create_task(_text(evaluate(CLOSES.replace("ADDRESS", address).replace("SUBSCRIBE", subscribe))))
        await asyncio.wait_for(waiting.wait(), 20)
        for _ in range(2 * CAPACITY_MESSAGES):
            hub.state({"type": "state"})
        return await asyncio.wait_for(seen, 20)


async def _text(value: Awaitable[Any]) -> str:
    return str(await value)


@needs(CHROMIUM, "chromium")
async def test_close_codes_reach_a_page_in_chromium(browser: Browser, tmp_path: Path) -> None:
    context = await browser.new_context()
    try:
        page = await context.new_page()
        assert await codes(tmp_path, page.goto, page.evaluate) == "4400 4400 4008"
    finally:
        await context.close()


@needs("firefox-esr", "firefox-esr")
async def test_close_codes_reach_a_page_in_firefox(tmp_path: Path) -> None:
    async with firefox(tmp_path) as bidi:
        context = (await bidi.call("browsingContext.create", type="tab"))["context"]
        (tmp_path / "state").mkdir()

        def visit(url: str) -> Awaitable[object]:
            return bidi.call("browsingContext.navigate", context=context, url=url, wait="complete")

        closed = await codes(tmp_path / "state", visit, lambda script: bidi.evaluate(context, script))
        assert closed == "4400 4400 4008"
