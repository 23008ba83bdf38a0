"""A sidecar in a LiveKit room: who is there is judged, raises nothing, leaves and comes again with the same evidence.

The room is our own server's; SDK, libwebrtc, sidecar and models are the real ones.
"""

from __future__ import annotations

import json
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.interop.aiortc_client import Packets
from tests.interop.check import JUDGED_SECONDS, is_judged
from tests.interop.clip import Clip
from tests.interop.results import Results, Row
from tests.interop.sidecar import CALL, sidecar
from tests.plugins.livekit_server import API_KEY, API_SECRET, CAMERA, MICROPHONE, LiveKitServer, livekit_server

pytestmark = pytest.mark.asyncio(loop_scope="session")
NAME = "ada"


async def come(server: LiveKitServer, clip: Path) -> None:
    """Somebody joins and sends the clip."""
    await server.join(NAME)
    start = time.monotonic() + 0.5
    await server.publish(NAME, lambda: Packets("audio", clip, start), **MICROPHONE)
    await server.publish(NAME, lambda: Packets("video", clip, start), **CAMERA)


async def test_livekit(tmp_path: Path, clip: Clip, results: Results) -> None:
    row = Row("LiveKit's SDK", version("livekit"), "VP8, Opus")
    async with livekit_server() as server:
        options = {"plugin": "livekit", "url": server.url, "api_key": API_KEY, "api_secret": API_SECRET, "room": CALL}
        server.room.name = CALL
        async with sidecar(tmp_path, sources=json.dumps([options])) as host:
            await come(server, clip.webm)
            await host.until(lambda: is_judged(host, NAME, clip), JUDGED_SECONDS, "ada is judged")
            await server.leave(NAME)
            await host.gone(NAME, 5.0)
            before = len(host.states[NAME])
            await come(server, clip.webm)
            await host.until(lambda: is_judged(host, NAME, clip, before), JUDGED_SECONDS, "ada is judged again")
            assert host.findings == []
            states = [state["reason"] or state["verdict"] for state in host.states[NAME]]
    results.add(row, states=states, gone_seconds=0.0)
