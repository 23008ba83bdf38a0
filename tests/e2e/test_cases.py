"""An analyst's day, in a real Chromium against the real server: search, the page of a finding, its case, the wall."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, expect

from monitor.alerts.journal import Journal
from monitor.types import ParticipantKey
from tests.e2e.accessibility import AXE, violations
from tests.e2e.browser import CHROMIUM
from tests.e2e.dashboard_fixtures import curve, persona
from tests.e2e.visit import LIVE, REFUSED_REQUEST
from tests.monitor.alerts.report.build import changes
from tests.monitor.api.server import Site, serving
from tests.monitor.api.tenants import House, house
from tests.monitor.rig import quiet_log

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(shutil.which(CHROMIUM) is None, reason="Chromium is not installed (Debian package: chromium)"),
]

WIDTHS_PX = (375, 1440)
EVIDENCE = {"synchrony": curve(0.16, 280.0), "persona": persona(0.02)["evidence"]}
REASONS = ("lips_disagree_with_voice", "moves_unlike_enrolled", "identity_mismatch")


def fill(journal: Journal) -> None:
    """Three findings, of which the first goes on."""
    opening, closing = changes()
    for n, reason in enumerate(REASONS):
        key = ParticipantKey("board" if n < 2 else "sales", f"guest{n}", "Ada" if n < 2 else None)
        time = opening.time + timedelta(days=n)
        said: dict[str, Any] = {"id": f"e{n}", "key": key, "time": time}
        journal.append(replace(opening, **said, reason=reason, evidence=EVIDENCE))
        if n:
            journal.append(replace(closing, **{**said, "time": time + timedelta(seconds=90)}))


@dataclass
class Desk:
    """A page, the server behind it, and everything that the page complained of."""

    page: Page
    site: Site
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str, role: str = "analyst", subject: str = "jo", token: str | None = None) -> None:
        """Open a page with a token, else one of a role, and wait until it is live."""
        await self.show(path, token or self.site.token(role, subject))
        await self.page.wait_for_selector(LIVE)

    async def show(self, path: str, token: str) -> None:
        """Open a page with a token."""
        await self.page.goto("about:blank")
        await self.page.goto(f"{self.site.base}{path}#token={token}")

    async def overflow(self) -> int:
        """CSS pixels by which the page is wider than the window."""
        return int(await self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(tmp_path) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def shared(tmp_path: Path) -> AsyncIterator[House]:
    """A server with tenants."""
    with quiet_log():
        async with house(tmp_path, is_furnished=False) as made:
            yield made


@pytest_asyncio.fixture(loop_scope="session")
async def desk(browser: Browser, site: Site) -> AsyncIterator[Desk]:
    async with desk_at(browser, site) as made:
        yield made


@contextlib.asynccontextmanager
async def desk_at(browser: Browser, site: Site) -> AsyncIterator[Desk]:
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    made = Desk(await context.new_page(), site)

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and REFUSED_REQUEST not in message.text:
            made.complaints.append(message.text)

    made.page.on("console", on_console)
    made.page.on("pageerror", lambda error: made.complaints.append(str(error)))
    yield made
    await context.close()
    assert made.complaints == []


async def test_a_finding_is_looked_for_and_worked_on(desk: Desk) -> None:
    fill(desk.site.journal)
    page = desk.page
    await desk.open("/findings")
    await expect(page.locator(".result")).to_have_count(3)
    # By keys alone: to the search, into a result, and through the case.
    await page.keyboard.press("/")
    await page.keyboard.type("guest0")
    await expect(page.locator(".result")).to_have_count(1)
    await expect(page).to_have_url(re.compile(r"\?text=guest0$"))
    await page.locator("#filters").press("Tab")
    await page.evaluate("document.activeElement.blur()")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page.locator("#title")).to_have_text("Lips and voice do not fit")
    await expect(page.locator("#claim")).to_contain_text("guest0 in call board, who claims to be Ada")
    await expect(page.locator("#sure")).to_contain_text("The evidence reached 9,800")
    await expect(page.locator("#sure")).to_contain_text("no proof")
    for picture in ("#strip svg .line", "#figures svg.curve .line", "#figures svg.timeline .moment"):
        await expect(page.locator(picture).first).to_be_attached()
    await expect(page.locator("#conditions")).to_contain_text("2 to 4 ms")
    await page.keyboard.press("a")
    await expect(page.locator("#case")).to_contain_text("Acknowledged")
    await page.keyboard.press("m")
    await expect(page.locator("#case")).to_contain_text("jo")
    await page.keyboard.press("n")
    # Keys are text in a field.
    await page.keyboard.type("a fat fur tum")
    await page.locator("#note button[type=submit]").click()
    await expect(page.locator("#events")).to_contain_text("a fat fur tum")
    await expect(page.locator("#note-text")).to_have_value("")
    await page.evaluate("document.activeElement.blur()")
    await page.keyboard.press("t")
    await expect(page.locator("#label-true")).to_have_attribute("aria-pressed", "true")
    await expect(page.locator("#case")).to_contain_text("a fraud, by jo")
    log = await desk.site.components.desk.of("e0")
    assert [str(event.kind) for event in log.events] == ["acknowledged", "assigned", "noted", "labelled"]
    await page.keyboard.press("?")
    await expect(page.locator("dialog.help-card")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("l")
    await expect(page.locator(".result")).to_have_count(3)
    await page.locator("#label").select_option("true")
    await expect(page.locator(".result")).to_have_count(1)
    await page.locator("#text").fill("nobody of this name")
    await expect(page.locator("#nothing-title")).to_have_text("Nothing fits these filters")
    # Where there is one tenant alone nobody hears of tenants.
    await expect(page.locator("#tenant")).to_have_count(0)


async def test_what_others_do_comes_without_a_reload(desk: Desk) -> None:
    fill(desk.site.journal)
    await desk.open("/finding?id=e0")
    async with desk.site.client(headers=desk.site.bearer("analyst", "sam")) as other:
        await other.post("/v1/findings/e0/events", json={"event": "noted", "text": "<b>mine</b>"})
    await expect(desk.page.locator("#events")).to_contain_text("sam noted: <b>mine</b>")
    await desk.open("/wall")
    await expect(desk.page.locator(".tile")).to_have_count(3)
    async with desk.site.client(headers=desk.site.bearer("analyst", "sam")) as other:
        await other.post("/v1/findings/e1/events", json={"event": "labelled", "label": "false"})
    await expect(desk.page.locator(".tile")).to_have_count(2)
    await expect(desk.page.locator("#count-open")).to_have_text("2")


async def test_states_that_are_empty_gone_refused_and_offline(desk: Desk) -> None:
    page = desk.page
    await desk.open("/findings")
    await expect(page.locator("#nothing-title")).to_have_text("No findings")
    await desk.open("/wall")
    await expect(page.locator("#quiet")).to_have_text("Nothing is open.")
    await desk.open("/finding?id=nothing")
    await expect(page.locator("#gone")).to_be_visible()
    fill(desk.site.journal)
    await desk.open("/finding?id=e0", "viewer")
    await expect(page.locator("#read-only")).to_be_visible()
    await expect(page.locator("#work")).to_be_hidden()
    await desk.open("/finding?id=e0")
    await expect(page.locator("#work")).to_be_visible()
    await page.context.set_offline(True)
    await page.locator("#note-text").fill("kept")
    await page.locator("#note button[type=submit]").click()
    await expect(page.locator("#notice")).to_have_text("The sidecar does not answer. Is it still running?")
    # What could not be written stays in its field.
    await expect(page.locator("#note-text")).to_have_value("kept")
    await page.context.set_offline(False)
    await page.locator("#note button[type=submit]").click()
    await expect(page.locator("#events")).to_contain_text("kept")
    await expect(page.locator("#notice")).to_be_hidden()


@pytest.mark.skipif(not AXE.exists(), reason="axe is not installed: make check-js installs it")
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_pages_keep_to_wcag_aa_fit_a_phone_and_say_whose_they_are(
    browser: Browser, shared: House, scheme: Any
) -> None:
    fill(shared.parts("acme").journal)
    token = shared.token("acme")
    async with desk_at(browser, shared.site) as desk:
        tenant = desk.page.locator("header #tenant")
        await desk.page.emulate_media(color_scheme=scheme)
        pages = (("/", ".finding"), ("/findings", ".result"), ("/finding?id=e0", "#case div"), ("/wall", ".tile"))
        for path, ready in pages:
            await desk.open(path, token=token)
            await expect(desk.page.locator(ready).first).to_be_visible()
            await expect(tenant).to_have_text("Tenant acme")
            assert await violations(desk.page) == [], path
            for width in WIDTHS_PX:
                await desk.page.set_viewport_size({"width": width, "height": 812})
                assert await desk.overflow() <= 0, (path, width)
        await desk.open("/findings", token=token)
        await desk.page.locator("#keys").click()
        assert await violations(desk.page) == []
        # Those who may not subscribe, too; and the default tenant is one of several here.
        await desk.show("/me", shared.token("globex", "subject"))
        await expect(tenant).to_have_text("Tenant globex")
        await desk.show("/enroll", shared.token("acme", "enroller"))
        await expect(tenant).to_have_text("Tenant acme")
        await desk.open("/wall")
        await expect(tenant).to_have_text("Tenant default")
