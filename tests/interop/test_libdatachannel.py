"""libdatachannel, the stack of OBS, connects every time: by whichever of its addresses, and to the one fingerprint."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.tap.webrtc import WebRtcPeer
from tests.interop.installed import NODE_FOLDER, needs_node
from tests.monitor.api.server import TOKEN, WHIP, Site, serving
from tests.monitor.rig import quiet_log
from tests.monitor.tap.publisher import LOCAL

HANDSHAKES = 30
PATIENCE_SECONDS = 120


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async def answer(offer: str) -> tuple[WebRtcPeer, str]:
        return await WebRtcPeer.answer(offer, LOCAL)

    with quiet_log():
        async with serving(tmp_path, answer=answer) as made:
            yield made


@needs_node("node-datachannel")
async def test_thirty_handshakes_of_thirty_succeed(site: Site) -> None:
    """With three fingerprints in the answer, one in four failed."""
    asked = {"endpoint": site.base + WHIP, "token": TOKEN, "times": HANDSHAKES}
    arguments = ["handshakes.js", json.dumps(asked)]
    publisher = await asyncio.create_subprocess_exec("node", *arguments, cwd=NODE_FOLDER, stdout=subprocess.PIPE)
    try:
        said, _ = await asyncio.wait_for(publisher.communicate(), PATIENCE_SECONDS)
    finally:
        if publisher.returncode is None:
            publisher.kill()
            await publisher.wait()
    assert said.decode().split() == ["connected"] * HANDSHAKES
