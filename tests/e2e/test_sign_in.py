"""Signing in through a real provider in a real browser: the dashboard, an end that is told, and the way out."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.e2e.browser import CHROMIUM
from tests.e2e.visit import LIVE
from tests.monitor.alerts.build import finding
from tests.monitor.api.server import Site, serving
from tests.monitor.api.signing_in import settings
from tests.monitor.rig import quiet_log
from tests.toys.identity_provider import IdentityProvider, identity_provider

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(shutil.which(CHROMIUM) is None, reason="Chromium is not installed (Debian package: chromium)"),
]


@pytest_asyncio.fixture(loop_scope="session")
async def provider() -> AsyncIterator[IdentityProvider]:
    async with identity_provider() as made:
        await made.add("ann", groups=["secops"])
        await made.add("eve", groups=["staff"])
        await made.add("jane", groups=["people"])
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path, provider: IdentityProvider) -> AsyncIterator[Site]:
    with quiet_log():
        async with serving(tmp_path, oidc=settings(provider)) as made:
            made.journal.append(finding("before"))
            yield made


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context()
    made = await context.new_page()
    errors: list[str] = []
    made.on("pageerror", lambda error: errors.append(str(error)))
    yield made
    await context.close()
    assert errors == []


async def sign_in(page: Page, sub: str) -> None:
    await page.get_by_role("link", name="Sign in").click()
    await page.locator("input[name=sub]").fill(sub)
    await page.locator("button", has_text="Authorize").first.click()


async def test_an_analyst_signs_in_sees_findings_and_signs_out(page: Page, site: Site) -> None:
    await page.goto(site.base)
    await expect(page.locator("dialog")).to_contain_text("Sign in, or use a token")
    await sign_in(page, "ann")
    await page.wait_for_selector(LIVE)
    await expect(page.locator("#account")).to_contain_text("oidc:ann")
    await expect(page.locator(".finding")).to_have_count(1)
    assert await page.evaluate("[document.cookie, sessionStorage.length]") == ["", 0]
    await page.reload()
    await page.wait_for_selector(LIVE)
    await page.get_by_role("button", name="Sign out").click()
    # The provider asks whether its own session is to end too, and sends the browser back.
    await page.locator("button, input[type=submit]").first.click()
    await expect(page.locator("dialog")).to_contain_text("Sign in, or use a token")
    assert site.surface.parts.sign_in is not None
    assert site.surface.parts.sign_in.sessions.list() == []


@pytest.mark.parametrize(
    ("place", "shown", "text"),
    [
        ("/finding?id=e", "#title", "Lips and voice do not fit"),
        # A link of a message that is older than what is kept leads to its page all the same.
        ("/action#e/0-0", "#problem", "There is no such action"),
    ],
)
async def test_a_link_leads_where_it_should_after_signing_in(
    page: Page, site: Site, place: str, shown: str, text: str
) -> None:
    site.journal.append(finding("e"))
    await page.goto(f"{site.base}{place}")
    await sign_in(page, "ann")
    await expect(page.locator(shown)).to_contain_text(text, ignore_case=True)
    assert page.url == f"{site.base}{place}"


async def test_who_is_denied_is_told_so_on_the_page_that_they_asked_for(page: Page, site: Site) -> None:
    await page.goto(f"{site.base}/action#e/0-0")
    await page.get_by_role("link", name="Sign in").click()
    await page.locator("button", has_text=re.compile("deny", re.IGNORECASE)).first.click()
    await expect(page.locator("dialog")).to_contain_text("did not let you in")
    assert page.url == f"{site.base}/action#e/0-0"


async def test_a_session_that_has_ended_says_so_and_where_to_go_on(
    page: Page, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.api.alerts.RECHECK_SECONDS", 0.1)
    await page.goto(site.base)
    await sign_in(page, "ann")
    await page.wait_for_selector(LIVE)
    assert site.surface.parts.sign_in is not None
    sessions = site.surface.parts.sign_in.sessions
    [own] = sessions.list()
    assert sessions.revoke(own["id"])
    await expect(page.locator("dialog")).to_contain_text("Your session has ended. Sign in again to go on.")
    await expect(page.locator("#account")).to_have_count(0)
    await sign_in(page, "ann")
    await page.wait_for_selector(LIVE)


async def test_who_has_no_role_is_told_so_and_a_protected_person_sees_their_own_page(page: Page, site: Site) -> None:
    await page.goto(site.base)
    await sign_in(page, "eve")
    await expect(page.locator("dialog")).to_contain_text("no role here")
    assert "sign-in" not in page.url
    await sign_in(page, "jane")
    await expect(page.locator("#enrolment")).to_have_text("Jane Doe is not enrolled.")
    await expect(page.locator("#no-calls")).to_be_visible()
    await expect(page.locator("#account")).to_contain_text("oidc:jane")
