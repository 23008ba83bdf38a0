"""The page that enrols, in a real Chromium against the real server and vault; enrolling obeys the text of the clips."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, FilePayload, Page, expect

from monitor.identity.vault.records import Details
from tests.e2e.accessibility import AXE, violations
from tests.e2e.browser import CHROMIUM
from tests.e2e.dashboard_fixtures import face
from tests.e2e.visit import LIVE, REFUSED_REQUEST
from tests.monitor.api.people import Crew, crew
from tests.monitor.api.server import TOKEN, Site, serving

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(shutil.which(CHROMIUM) is None, reason="Chromium is not installed (Debian package: chromium)"),
]

MEBIBYTE = 1 << 20


@dataclass
class Visit:
    """The page, the server behind it, and everything that the page complained of."""

    page: Page
    site: Site
    crew: Crew
    complaints: list[str] = field(default_factory=list)

    async def open(self, token: str = TOKEN, phase: str = "live") -> None:
        """Open the page and wait until the token was taken."""
        await self.page.goto("about:blank")
        await self.page.goto(f"{self.site.base}/enroll#token={token}")
        await self.page.wait_for_selector(LIVE.replace("live", phase))

    async def fill(self, *clips: str, name: str = "Jane Doe", by: str = "Jane Doe") -> None:
        """Fill the form in."""
        await self.page.locator("#name").fill(name)
        await self.page.locator("#by").fill(by)
        await self.page.locator("#clips").set_input_files([clip(f"{n}.mp4", text) for n, text in enumerate(clips)])

    async def enrol(self) -> None:
        """Press the button."""
        await self.page.locator("#enrol").click()

    @property
    def job(self) -> Any:
        """The view of the enrolment."""
        return self.page.locator(".job")

    @property
    def people(self) -> Any:
        """The list of who is enrolled."""
        return self.page.locator(".person")


def clip(name: str, text: str) -> FilePayload:
    return {"name": name, "mimeType": "video/mp4", "buffer": text.encode()}


async def visit_in(folder: Path, browser: Browser, width: int, **policy: Any) -> AsyncIterator[Visit]:
    made = crew(folder, 2 * MEBIBYTE, **policy)
    made.enroller.poses = [face(turn / 10) for turn in range(5)]
    async with serving(folder, people=made.people) as site:
        context = await browser.new_context(viewport={"width": width, "height": 812})
        visit = Visit(await context.new_page(), site, made)

        def on_console(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                visit.complaints.append(message.text)

        visit.page.on("console", on_console)
        visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        yield visit
        await context.close()
        made.enroller.gate.set()
    made.people.vault.close()
    assert [c for c in visit.complaints if REFUSED_REQUEST not in c] == []
    assert made.left() == []


@pytest_asyncio.fixture(loop_scope="session", params=[375, 1440])
async def visit(request: pytest.FixtureRequest, browser: Browser, tmp_path: Path) -> AsyncIterator[Visit]:
    async for made in visit_in(tmp_path, browser, request.param):
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def desk(browser: Browser, tmp_path: Path) -> AsyncIterator[Visit]:
    async for made in visit_in(tmp_path, browser, 1440):
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def two(browser: Browser, tmp_path: Path) -> AsyncIterator[Visit]:
    async for made in visit_in(tmp_path, browser, 1440, second_approver=True):
        yield made


async def test_somebody_is_enrolled_and_erased(visit: Visit) -> None:
    page = visit.page
    await visit.open()
    await expect(page.locator("#no-people")).to_be_visible()
    await visit.fill("good", "better")
    await expect(page.locator("#chosen li")).to_have_text(["0.mp4, 1 MB", "1.mp4, 1 MB"])
    await page.locator("#evidence").set_input_files([clip("signed.pdf", "signature")])
    await page.locator("#tags").fill("board, de ")
    await page.locator("#verify-by").fill("+49 30 1234567")
    await visit.enrol()
    await expect(visit.job.locator("h2")).to_have_text("Enrolled: Jane Doe")
    await expect(visit.job.locator(".scores")).to_contain_text("72 s")
    await expect(visit.job.locator(".reasons li")).to_have_text(["Look up and down now and then"])
    await expect(visit.job.locator("svg.pose path.outline")).to_have_count(5)
    [(order, names)] = visit.crew.enroller.seen
    assert (order.name, order.actor, names) == ("Jane Doe", "operator", ["0.mp4", "1.mp4"])
    assert order.consent.evidence_sha256 == hashlib.sha256(b"signature").hexdigest()
    person = visit.people
    await expect(person.locator("h3")).to_have_text("Jane Doe")
    await expect(person.locator(".enrolment[data-kind=enrolled]")).to_contain_text("enrolled since")
    assert order.details == Details(("board", "de"), "+49 30 1234567")
    await expect(person.locator(".scores")).to_contain_text("board, de")
    await expect(person.locator(".scores")).to_contain_text("a number or a link is known")
    await expect(person.locator("[data-act=approve]")).to_have_count(0)
    assert await page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    if folder := os.environ.get("SIDEWITNESS_PICTURES"):
        await page.screenshot(path=Path(folder) / "enrol.png", full_page=True)
    await person.locator("[data-act=erase]").click()
    await page.locator("dialog[open] button[value=keep]").click()
    await expect(person).to_have_count(1)
    await person.locator("[data-act=erase]").click()
    await expect(page.locator("dialog[open]")).to_contain_text("cannot be undone")
    await page.locator("dialog[open] button[value=erase]").click()
    await expect(page.locator("#receipt")).to_contain_text("Erased")
    await expect(page.locator("#no-people")).to_be_visible()
    assert visit.crew.people.vault.show("Jane Doe") is None
    assert visit.complaints == []


async def test_a_refusal_is_told_in_words(visit: Visit) -> None:
    await visit.open()
    await visit.fill("short")
    await visit.enrol()
    await expect(visit.job.locator("h2")).to_have_text("These clips do not make a reference: Jane Doe")
    await expect(visit.job.locator(".reasons li")).to_have_text(["20 s of face were found: send at least 60 s"])
    await expect(visit.job.locator("progress")).to_be_hidden()
    await expect(visit.page.locator("#enrol")).to_be_enabled()
    await expect(visit.page.locator("#no-people")).to_be_visible()


async def test_progress_survives_a_reload_and_can_be_stopped(desk: Visit) -> None:
    desk.crew.enroller.gate.clear()
    await desk.open()
    await desk.fill("good")
    await desk.enrol()
    await expect(desk.job.locator("[role=status]")).to_have_text("Looking for a face")
    await expect(desk.page.locator("#enrol")).to_be_disabled()
    await desk.page.reload()
    await expect(desk.job.locator("h2")).to_have_text("Enrolling: Jane Doe")
    assert await desk.job.locator("progress").evaluate("bar => bar.value") == pytest.approx(0.4)
    async with desk.page.expect_request(lambda request: request.method == "DELETE"):
        await desk.job.locator("button").click()
    desk.crew.enroller.gate.set()
    await expect(desk.job).to_be_hidden()
    await expect(desk.page.locator("#enrol")).to_be_enabled()
    await expect(desk.people).to_have_count(0)


async def test_somebody_else_must_approve(two: Visit) -> None:
    await two.open()
    await expect(two.page.locator("#approval")).to_be_visible()
    await two.fill("good")
    await two.enrol()
    await expect(two.job.locator("[role=status]")).to_contain_text("Somebody else must approve")
    await expect(two.people.locator(".enrolment[data-kind=pending]")).to_have_text("enrolment waits for approval")
    await two.people.locator("[data-act=approve]").click()
    await expect(two.page.locator("#problem")).to_contain_text("let somebody else do it")
    # Somebody else is somebody with a token of another subject; who approves is shown no call.
    await two.open(two.site.token("approver", "boss"), "barred")
    await expect(two.page.locator("#subject")).to_have_text("boss")
    await two.people.locator("[data-act=approve]").click()
    await expect(two.people.locator(".enrolment[data-kind=enrolled]")).to_be_visible()
    await expect(two.page.locator("#problem")).to_be_hidden()


async def test_what_the_sidecar_does_not_take(desk: Visit) -> None:
    await desk.open()
    await desk.fill("x" * (2 * MEBIBYTE + 1))
    await desk.enrol()
    await expect(desk.page.locator("#problem")).to_contain_text("3 MB together; at most 2 are taken")
    await desk.fill("good")
    await desk.page.locator("#given").fill("2020-01-01")
    await desk.page.locator("#expires").fill("2020-02-01")
    await desk.enrol()
    await expect(desk.page.locator("#problem")).to_contain_text("the consent has expired")
    await expect(desk.job).to_be_hidden()
    await expect(desk.page.locator("#enrol")).to_be_enabled()
    assert desk.crew.enroller.seen == []


async def test_how_they_are_reached_has_a_form_and_is_refused_in_words(desk: Visit) -> None:
    await desk.open()
    await desk.fill("good")
    await desk.page.locator("#verify-by").fill("ask her")
    await desk.enrol()
    await expect(desk.page.locator("#problem")).to_contain_text("a number such as +49 30 1234567")
    assert desk.crew.enroller.seen == []


@pytest.mark.skipif(not AXE.exists(), reason="axe is not installed: make check-js installs it")
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_keeps_to_wcag_aa(desk: Visit, scheme: Any) -> None:
    await desk.page.emulate_media(color_scheme=scheme)
    await desk.open()
    await desk.fill("good")
    await desk.enrol()
    await expect(desk.people).to_have_count(1)
    assert await violations(desk.page) == []


async def test_without_a_consent_nothing_is_sent(desk: Visit) -> None:
    await desk.open()
    await desk.fill("good", by="")
    await desk.enrol()
    assert await desk.page.locator("#by").evaluate("input => input.validity.valueMissing")
    assert await desk.page.locator("#form").evaluate("form => form.checkValidity()") is False
    assert desk.crew.enroller.seen == []


async def test_what_people_are_called_stays_text(desk: Visit) -> None:
    name = "<img src=x onerror=alert(1)> & é/ü"
    await desk.open()
    await desk.fill("good", name=name, by=name)
    await desk.enrol()
    await expect(desk.people.locator("h3")).to_have_text(name)
    await desk.people.locator("[data-act=erase]").click()
    await desk.page.locator("dialog[open] button[value=erase]").click()
    await expect(desk.people).to_have_count(0)
    assert await desk.page.locator("img[src=x]").count() == 0
