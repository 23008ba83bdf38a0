"""Chromium and Firefox publish what a page plays."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.e2e.browser import CHROMIUM
from tests.interop.browsers import address, chromium_page, firefox, firefox_page, pages
from tests.interop.check import Bench
from tests.interop.installed import needs, version_of
from tests.interop.results import Row

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
