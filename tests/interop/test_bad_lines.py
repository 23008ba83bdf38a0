"""Chromium over bad lines: nobody is accused, what is said is documented, and soon after they are judged again."""

from __future__ import annotations

import time

import pytest
from playwright.async_api import Browser

from tests.e2e.browser import CHROMIUM
from tests.interop.bad_line import GOOD, Line, bad_line
from tests.interop.browsers import address, chromium_page, pages
from tests.interop.check import Bench, is_judged
from tests.interop.installed import needs
from tests.interop.results import Row

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.browser, needs(CHROMIUM, "chromium")]

RECOVERY_SECONDS = 5.0
LINES = {
    "4 s of nothing": (Line(is_cut=True), 4.0),
    "20 % loss": (Line(loss=0.2), 10.0),
    "200 ms jitter": (Line(jitter_seconds=0.2), 10.0),
    "30 % reordered by up to 50 ms": (Line(jitter_seconds=0.05, reorder=0.3), 10.0),
    "300 kbit/s": (Line(rate_bps=300_000), 10.0),
}
# `make test` tries these two; `make interop` all.
SHORT = ("4 s of nothing", "20 % loss")
NOTHING = {"media_stalled", "low_frame_rate", "warming_up", "no_video", "no_audio", "keyframe_missing"}
POOR = {
    "silence",
    "low_quality",
    "no_face",
    "not_enrolled",
    "clock_unknown",
    "picture_damaged",
    "picture_frozen",
    "audio_loss",
    "unusual_sound",
}
# Of this machine and not of the line: browser, relay and sidecar share it.
BUSY = {"overloaded"}


@pytest.mark.parametrize("name", LINES)
async def test_a_bad_line(bench: Bench, browser: Browser, name: str) -> None:
    if not bench.seconds and name not in SHORT:
        pytest.skip("make interop tries this line")
    line, seconds = LINES[name]
    host, row = bench.host, Row(f"line: {name}", browser.version, "VP8, Opus", "Chromium")
    async with (
        bench.judged(row) as participant,
        bad_line(host.url) as (base, proxy),
        pages(bench.clip.webm) as site,
        chromium_page(browser, address(site, host.endpoint(participant).replace(host.url, base), bench.clip.webm)),
    ):
        await bench.published(participant)
        states = host.states[participant]
        first, before = len(states), time.monotonic()
        proxy.relay.line = line
        await host.until(
            lambda: time.monotonic() - before >= seconds or states[-1]["reason"] == "ended",
            seconds + 5,
            "the line was bad for long enough",
        )
        proxy.relay.line = GOOD
        last = len(states)
        await host.until(
            lambda: is_judged(host, participant, bench.clip, last),
            RECOVERY_SECONDS + 1,
            f"judged again {RECOVERY_SECONDS:g} s after the line was good again",
        )
        during = {state["reason"] for state in states[first:last]}
        assert during <= NOTHING | POOR | BUSY, during
        assert {state["verdict"] for state in states} <= {"inconclusive"}
        if line.is_cut:
            assert during & {"media_stalled"}
        assert proxy.relay.passed > 0
