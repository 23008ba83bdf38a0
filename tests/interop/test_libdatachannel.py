"""libdatachannel, the stack of OBS, connects every time: by whichever of its addresses, and to the one fingerprint."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.tap.webrtc import WebRtcPeer
from tests.monitor.api.server import TOKEN, WHIP, Site, serving
from tests.monitor.rig import quiet_log
from tests.monitor.tap.publisher import LOCAL

FOLDER = Path(__file__).with_name("node")
PUBLISHER = Path(__file__).with_name("publish_libdatachannel.mjs")
HANDSHAKES = 30
PATIENCE_SECONDS = 120
NODE = shutil.which("node")

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        NODE is None or not (FOLDER / "node_modules/node-datachannel").exists(),
        reason="Node.js or its module node-datachannel is not installed in tests/interop/node",
    ),
]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async def answer(offer: str) -> tuple[WebRtcPeer, str]:
        return await WebRtcPeer.answer(offer, LOCAL)

    with quiet_log():
        async with serving(tmp_path, answer=answer) as made:
            yield made


async def test_thirty_handshakes_of_thirty_succeed(site: Site) -> None:
    """With three fingerprints in the answer, one in four failed."""
    assert NODE is not None
    arguments = [str(PUBLISHER), str(FOLDER), site.base + WHIP, TOKEN, str(HANDSHAKES)]
    publisher = await asyncio.create_subprocess_exec(NODE, *arguments, stdout=subprocess.PIPE)
    try:
        said, _ = await asyncio.wait_for(publisher.communicate(), PATIENCE_SECONDS)
    finally:
        if publisher.returncode is None:
            publisher.kill()
            await publisher.wait()
    assert said.decode().split() == ["connected"] * HANDSHAKES
