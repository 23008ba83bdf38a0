"""Node.js: libwebrtc and libdatachannel publish, and the alerts socket is read by its usual WebSocket client."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.interop.check import Bench, stopped
from tests.interop.clip import FPS, SIDE_PX
from tests.interop.installed import NODE_FOLDER, needs_node, node_version
from tests.interop.results import Row
from tests.interop.sidecar import TOKEN
from tests.monitor.api.server import TOKEN as SITE_TOKEN
from tests.monitor.api.server import serving

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def node(*arguments: str) -> asyncio.subprocess.Process:
    """Start a script of ours in Node.js."""
    return await asyncio.create_subprocess_exec(
        "node", *arguments, cwd=NODE_FOLDER, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )


async def line_of(process: asyncio.subprocess.Process) -> str:
    """The next line that it prints."""
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()


async def check(bench: Bench, row: Row, script: str) -> None:
    """Have a script publish the clip until it was judged, and leave."""
    clip = bench.clip
    files = {name: str(getattr(clip, name)) for name in ("i420", "s16", "h264", "opus")}
    async with bench.judged(row) as name:
        wanted = {"endpoint": bench.host.endpoint(name), "token": TOKEN, "side": SIDE_PX, "fps": FPS, **files}
        async with stopped(await node(script, json.dumps(wanted))) as process:
            assert await line_of(process) == "connected"
            await bench.published(name)
            assert process.stdin is not None
            process.stdin.write(b"leave\n")
            assert await process.wait() == 0


@needs_node("@roamhq/wrtc")
async def test_libwebrtc(bench: Bench) -> None:
    await check(bench, Row("libwebrtc (@roamhq/wrtc)", node_version("@roamhq/wrtc"), "VP8, Opus"), "publish.js")


@needs_node("node-datachannel")
async def test_libdatachannel(bench: Bench) -> None:
    row = Row("libdatachannel (node-datachannel)", node_version("node-datachannel"), "H.264, Opus")
    await check(bench, row, "publish_frames.js")


async def words_of(process: asyncio.subprocess.Process) -> list[str]:
    """Every line until it ends."""
    async with stopped(process):
        assert process.stdout is not None
        lines = (await asyncio.wait_for(process.stdout.read(), 60)).decode().split("\n")[:-1]
        await process.wait()
        return lines


@needs_node("ws")
async def test_close_codes_reach_node(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        address = site.base.replace("http", "ws") + "/v1/alerts"
        assert await words_of(await node("alerts.js", address, "nonsense")) == ["close 4400"]
        assert await words_of(await node("alerts.js", address, "other-subprotocol")) == ["close 4400"]
        hello, pong, close = await words_of(await node("alerts.js", address, "ping", SITE_TOKEN))
    assert (json.loads(hello)["type"], json.loads(pong), close) == ("hello", {"type": "pong"}, "close 1005")


@needs_node("ws")
async def test_a_node_client_that_stalls_is_told_that_it_was_too_slow(tmp_path: Path) -> None:
    """It reads again long after the server has given it up."""
    async with serving(tmp_path) as site:
        address = site.base.replace("http", "ws") + "/v1/alerts"
        async with stopped(await node("alerts.js", address, "stall", SITE_TOKEN, "8000")) as process:
            assert await line_of(process) == "stalled"
            too_slow = site.components.metrics.registry.get_sample_value
            async with asyncio.timeout(30):
                while not too_slow("sidewitness_subscribers_too_slow_total"):
                    site.components.hub.state({"type": "state", "pad": "x" * 65536})
                    await asyncio.sleep(0)
            assert await line_of(process) == "close 4008"
            await process.wait()
