"""The page behind a link in an alert, in a real Chromium and against a real server: confirm, once, and it is done."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from monitor.types import MediaItem, ParticipantKey, TrackFault
from tests.e2e.browser import CHROMIUM
from tests.monitor.alerts.policy.build import policy_of
from tests.monitor.api.server import PATIENCE, Site, receive, serving
from tests.monitor.rig import OPEN, ScriptedSession
from tests.monitor.tap.clips import write_clip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(shutil.which(CHROMIUM) is None, reason="Chromium is not installed (Debian package: chromium)"),
]

POLICY = policy_of({"name": "board", "calls": ["board"], "at_alert": {"actions": ["mute", "ask_to_verify"]}})
HEARD_SECONDS = 20.0


class Alarmed(ScriptedSession):
    """Raises an alert with the first sound that it hears, and counts what it hears."""

    heard = 0

    def push(self, item: MediaItem) -> None:
        if not isinstance(item, TrackFault) and hasattr(item, "samples"):
            self.heard += 1
            if self.heard == 1:
                self.order = OPEN


@asynccontextmanager
async def alarming(folder: Path) -> AsyncIterator[tuple[Site, dict[str, Any], list[Alarmed]]]:
    """A server with a folder's call, in which somebody has raised an alert: the finding, and who is judged."""
    judged: list[Alarmed] = []

    def session(key: ParticipantKey) -> Alarmed:
        judged.append(Alarmed(key))
        return judged[-1]

    (folder / "clips").mkdir()
    write_clip(folder / "clips" / "alice.mp4", seconds=HEARD_SECONDS)
    async with serving(folder, session, policy=POLICY) as site, site.client() as admin, site.subscribe() as socket:
        await receive(socket)
        order = {"plugin": "folder", "path": str(folder / "clips"), "call": "board", "loop": True}
        assert (await admin.post("/v1/sources", json=order)).status_code == 201
        async with asyncio.timeout(PATIENCE):
            while (message := await receive(socket))["type"] != "finding":
                pass
        yield site, message, judged


async def opened(browser: Browser, site: Site, finding: dict[str, Any], action: str, token: str) -> Page:
    """The page of an action, with a token typed into its dialog."""
    asked = next(one for one in finding["handling"]["actions"] if one["action"] == action)
    page = await (await browser.new_context()).new_page()
    await page.goto(f"{site.base}/action#{finding['id']}/{asked['id']}")
    await page.locator("#token").fill(token)
    await page.get_by_role("button", name="Connect").click()
    return page


async def test_an_alert_a_click_and_they_are_muted(browser: Browser, tmp_path: Path) -> None:
    async with alarming(tmp_path) as (site, finding, judged):
        page = await opened(browser, site, finding, "mute", site.token("analyst", "ann"))
        await expect(page.locator("#action-title")).to_have_text("Mute: alice in board")
        await expect(page.locator("#state")).to_have_text("Nobody has answered yet.")
        # Opening it, again and again, does nothing.
        await page.reload()
        await expect(page.locator("#answers")).to_be_visible()
        await page.locator("#confirm").click()
        await expect(page.locator("#state")).to_have_text("It is done. Confirmed by ann.")
        await expect(page.locator("#answers")).to_be_hidden()
        before = judged[0].heard
        assert before > 0
        async with site.client() as admin:
            case = (await admin.get(f"/v1/findings/{finding['id']}")).json()["case"]
            states = {one["action"]: (one["state"], one["confirmed_by"]) for one in case["actions"]}
            assert states["mute"] == ("done", "ann")
        async with asyncio.timeout(PATIENCE):
            while (settled := judged[0].heard) != before:
                before = settled
                await receive_state(site)
        await receive_state(site)
        assert judged[0].heard == settled
        await page.context.close()


async def receive_state(site: Site) -> None:
    """Wait until a hop was decided."""
    async with site.subscribe(states=True) as socket:
        while (await receive(socket))["type"] != "state":
            pass


async def test_a_viewer_is_told_that_they_may_not(browser: Browser, tmp_path: Path) -> None:
    async with alarming(tmp_path) as (site, finding, _):
        page = await opened(browser, site, finding, "mute", site.token("viewer"))
        await expect(page.locator("#problem")).to_contain_text("role may not do this")
        await expect(page.locator("#answers")).to_be_hidden()
        await page.context.close()


async def test_a_verification_is_shown_as_a_card_and_answered(browser: Browser, tmp_path: Path) -> None:
    async with alarming(tmp_path) as (site, finding, _):
        page = await opened(browser, site, finding, "ask_to_verify", site.token("analyst", "ann"))
        await expect(page.locator("#card-title")).to_have_text("Verify on another channel")
        await expect(page.locator("#words")).to_have_text(re.compile(r"^\w+ \w+ \w+ \w+$"))
        await expect(page.locator("#contact")).to_contain_text("never one from the call")
        await page.locator("#passed").click()
        await expect(page.locator("#outcome")).to_contain_text("The person was verified. Said by ann")
        await expect(page.locator("#outcomes")).to_be_hidden()
        await page.context.close()
