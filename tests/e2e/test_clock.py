"""Picture and sound of a browser on one clock: flashes and beeps of one moment, by capture time after WebRTC."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Browser
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.tap.media.config import TapConfig, local_addresses
from monitor.tap.webrtc import WebRtcPeer
from monitor.types import AudioBlock, ClockState, VideoFrame
from tests.e2e.browser import CHROMIUM, chromium, folders, serving

PAIRS = 3
WITHIN_SECONDS = 0.045

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which(CHROMIUM) is None, reason="Chromium is not installed (Debian package: chromium)"),
]


class Door:
    """A WHIP endpoint that hands its first publisher to the test."""

    def __init__(self) -> None:
        self.peer: asyncio.Future[WebRtcPeer] = asyncio.get_running_loop().create_future()
        cors = Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"])
        self.app = Starlette(routes=[Route("/whip", self._answer, methods=["POST"])], middleware=[cors])

    async def _answer(self, request: Request) -> Response:
        config = TapConfig(allowed_networks=local_addresses())
        peer, answer = await WebRtcPeer.answer((await request.body()).decode(), config)
        self.peer.set_result(peer)
        return Response(answer, 201, media_type="application/sdp")


async def offsets(peer: WebRtcPeer) -> list[float]:
    """Beep less flash, in seconds by capture time, of `PAIRS` flashes seen while both tracks are mapped."""
    flashes: list[float] = []
    beeps: list[float] = []
    lit = loud = False
    async for item in peer:
        if isinstance(item, VideoFrame):
            bright = float(item.y.mean()) > 120
            if bright and not lit and item.stamp.state is ClockState.MAPPED:
                flashes.append(item.stamp.capture)
            lit = bright
        elif isinstance(item, AudioBlock):
            level = np.abs(item.samples)
            if level.max() > 0.1 and not loud and item.stamp.state is ClockState.MAPPED:
                beeps.append(item.stamp.capture + int(np.argmax(level > 0.1)) / 16_000)
            loud = bool(level.max() > 0.1)
        found = [min(beeps, key=lambda b: abs(b - flash)) - flash for flash in flashes] if beeps else []
        pairs = [gap for gap in found if abs(gap) < 0.9]
        if len(pairs) >= PAIRS + 1:
            return pairs[-PAIRS - 1 : -1]
    raise AssertionError("the publisher left")


async def gaps(browser: Browser, late_ms: int) -> list[float]:
    """Publish flashes and beeps, the picture held back; gives by how much they are apart, in seconds."""
    door = Door()
    async with serving(door.app) as whip, serving(folders(pages=Path(__file__).parent)) as site:
        page = await browser.new_page()
        query = f"endpoint={whip}/whip&token=none&late={late_ms}"
        await page.goto(f"{site}/pages/publisher.html?{query}")
        peer = await asyncio.wait_for(door.peer, 30)
        try:
            return await asyncio.wait_for(offsets(peer), 60)
        finally:
            await peer.close()
            await page.close()


async def test_flash_and_beep_meet_within_45_ms() -> None:
    # A browser that no other page has used, for what is measured in milliseconds.
    async with chromium() as browser:
        # Most of this is waiting for the sender's clock reports: the two publishers do it at the same time.
        on_time, held_back = await asyncio.gather(gaps(browser, 0), gaps(browser, 2500))
    assert max(abs(gap) for gap in on_time) <= WITHIN_SECONDS, on_time
    assert max(abs(gap) for gap in held_back) <= WITHIN_SECONDS, held_back
