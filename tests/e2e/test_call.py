"""The whole path for real: Chromium publishes over WebRTC, the sidecar judges, subscribers and dashboard are told.

Two participants of one call show the same pictures; one has their own voice, the other another person's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect
from websockets.asyncio.client import ClientConnection, connect

from tests.e2e.browser import CHROMIUM, folders, serving
from tests.e2e.media import marry

DATA = Path(os.environ.get("SIDEWITNESS_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
GENUINE = DATA / "clips/real/DiffDub__reconstruction__WRA_PeterRoskam0_000_25fps__GT.mp4"
OTHER = DATA / "clips/real/Linly-Talker__WDA_AlexandriaOcasioCortez_000.mp4"
TOKEN = "an-end-to-end-token"
PROTOCOL = "sidewitness.alerts.v1"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.data,
    pytest.mark.skipif(shutil.which(CHROMIUM) is None, reason="Chromium is not installed (Debian package: chromium)"),
    pytest.mark.skipif(not GENUINE.exists(), reason="the research clips are absent (SIDEWITNESS_DATA)"),
]


@dataclass(frozen=True)
class Sidecar:
    """The sidecar as a process of its own."""

    url: str

    def publisher(self, site: str, participant: str, clip: str, **more: str) -> str:
        """Address of the page that publishes `clip` as a participant."""
        endpoint = f"{self.url}/v1/calls/board/participants/{participant}/whip"
        return f"{site}/pages/publisher.html?" + urlencode(
            {"clip": f"{site}/clips/{clip}", "endpoint": endpoint, "token": TOKEN, **more}
        )

    @contextlib.asynccontextmanager
    async def subscribe(self, after: int | None, states: bool) -> AsyncIterator[ClientConnection]:
        """A subscriber that has said hello."""
        address = self.url.replace("http", "ws") + "/v1/alerts"
        async with connect(address, subprotocols=[PROTOCOL]) as socket:  # type: ignore[list-item]
            await socket.send(json.dumps({"type": "subscribe", "token": TOKEN, "after": after, "states": states}))
            assert json.loads(await socket.recv())["type"] == "hello"
            yield socket


@contextlib.asynccontextmanager
async def sidecar(folder: Path) -> AsyncIterator[Sidecar]:
    """Start `sidewitness serve` and stop it again; its exit status must be 0."""
    environment = {
        **os.environ,
        "SIDEWITNESS_PORT": "0",
        "SIDEWITNESS_TOKEN": TOKEN,
        "SIDEWITNESS_STATE_DIR": str(folder),
        # Alerts come sooner than by default: a test need not wait for an hour's worth of certainty.
        "SIDEWITNESS_FALSE_ALERTS_PER_HOUR": "12",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monitor.cli", "serve", env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
        assert "ready" in line, line
        yield Sidecar(line.split("ready: ")[1].split("/ ")[0].strip().rstrip("/"))
    finally:
        process.terminate()
        await process.wait()
    assert process.returncode == 0


@contextlib.asynccontextmanager
async def pages(browser: Browser) -> AsyncIterator[BrowserContext]:
    """Pages that are closed when the test is over, so that none of them goes on publishing."""
    context = await browser.new_context(viewport={"width": 1440, "height": 760})
    try:
        yield context
    finally:
        await context.close()


async def publish(context: BrowserContext, address: str) -> Page:
    """Open a publishing page and wait until its media flows."""
    page = await context.new_page()
    await page.goto(address)
    await page.wait_for_function("document.title === 'connected'", timeout=30_000)
    return page


async def follow(socket: ClientConnection) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read until the dubbed one's finding opens and the genuine one was judged for long; gives it and all states."""
    states: list[dict[str, Any]] = []
    opened: dict[str, Any] | None = None
    judged = 0
    async for text in socket:
        message = json.loads(text)
        if message["type"] == "finding":
            assert message["participant"] == "dubbed", "the genuine participant raised a finding"
            opened = opened or message
        elif message["type"] == "state":
            states.append(message)
            scored = message["scores"].get("synchrony", {}).get("p_value") is not None
            judged += scored and message["participant"] == "genuine"
        if opened is not None and judged >= 40:
            return opened, states
    raise AssertionError("the sidecar closed the connection")


async def test_a_dubbed_participant_raises_a_finding_and_a_genuine_one_does_not(
    browser: Browser, tmp_path: Path
) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    marry(GENUINE, GENUINE, 120, clips / "genuine.mp4")
    marry(GENUINE, OTHER, 120, clips / "dubbed.mp4")
    site_app = folders(pages=Path(__file__).parent, clips=clips)
    async with sidecar(tmp_path / "state") as host, serving(site_app) as site, pages(browser) as context:
        async with host.subscribe(None, states=True) as socket:
            dashboard = await context.new_page()
            await dashboard.goto(f"{host.url}/#token={TOKEN}")
            await publish(context, host.publisher(site, "genuine", "genuine.mp4"))
            first = json.loads(await asyncio.wait_for(socket.recv(), 5))
            assert (first["type"], first["participant"]) == ("state", "genuine")
            await publish(context, host.publisher(site, "dubbed", "dubbed.mp4"))
            opened, states = await asyncio.wait_for(follow(socket), 110)
            await expect(dashboard.locator(".card[aria-label='dubbed']")).to_contain_text("alert", ignore_case=True)
            await expect(dashboard.locator(".card[aria-label='genuine']")).to_be_visible()
            await dashboard.locator(".finding summary").first.click()
            await expect(dashboard.locator(".finding svg.curve").first).to_be_visible()
            if folder := os.environ.get("SIDEWITNESS_PICTURES"):
                await dashboard.screenshot(path=Path(folder) / "dashboard.png")
        assert opened["action"] == "opened"
        assert opened["reason"] == "lips_disagree_with_voice"
        curve = opened["evidence"]["synchrony"]
        assert len(curve["offsets_ms"]) == len(curve["agreement"]) == 31
        await _resumes(host, opened)
    verdicts = {name: {s["verdict"] for s in states if s["participant"] == name} for name in ("genuine", "dubbed")}
    assert verdicts["genuine"] <= {"inconclusive", "suspect"}
    assert "alert" in verdicts["dubbed"]
    _clock_was_mapped(states)


async def _resumes(host: Sidecar, opened: dict[str, Any]) -> None:
    async with host.subscribe(opened["seq"] - 1, states=False) as late:
        again = json.loads(await asyncio.wait_for(late.recv(), 10))
    assert (again["seq"], again["id"]) == (opened["seq"], opened["id"])


def _clock_was_mapped(states: list[dict[str, Any]]) -> None:
    last = {s["participant"]: s["quality"] for s in states if s["quality"]}
    assert all(quality["clock_mapped"] == 1.0 for quality in last.values())
