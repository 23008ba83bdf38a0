"""The plug-in `whep` plays what Meetecho's WHEP server serves: a mount point of Janus' streaming plug-in."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from monitor.config import SourceSettings
from monitor.host.source_check import check
from monitor.host.sources import configured_sources
from tests.interop import janus
from tests.interop.check import stopped
from tests.interop.installed import needs, needs_node
from tests.interop.sidecar import free_port
from tests.interop.test_node import line_of, node
from tests.plugins.supervised import supervised
from tests.plugins.test_rtp import ffmpeg, needs_ffmpeg, ports, program

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    needs("janus", "janus"),
    needs_node("janus-whep-server"),
    needs_ffmpeg,
]
MOUNT_POINT, TOKEN = 7, "a-token-of-the-players"


@asynccontextmanager
async def mounted(address: str, audio: int, video: int) -> AsyncIterator[str]:
    """A mount point of Janus' that takes RTP at two ports, and its URL at the WHEP server."""
    media = [
        {"type": "audio", "mid": "a", "port": audio, "pt": 111, "codec": "opus"},
        {"type": "video", "mid": "v", "port": video, "pt": 96, "codec": "vp8"},
    ]
    async with janus.session(address) as one:
        handle = await one.attach(janus.STREAMING)
        await one.message(handle, "create", type="rtp", id=MOUNT_POINT, media=media)
    port = free_port()
    wanted = {"address": address, "port": port, "mountpoint": MOUNT_POINT, "token": TOKEN}
    async with stopped(await node("whep.js", json.dumps(wanted))) as process:
        # Its library logs to the same place.
        while (line := await line_of(process)) != "ready":
            assert line, "the WHEP server has ended"
        yield f"http://127.0.0.1:{port}/whep/endpoint/board"


async def test_a_mount_point_is_played_and_left(tmp_path: Path) -> None:
    audio, video = ports()
    async with janus.janus(tmp_path) as address, mounted(address, audio, video) as url:
        source = {"plugin": "whep", "url": url, "token": TOKEN, "participant": "ada"}
        async with program(*ffmpeg(audio, video)), supervised(**source) as house:
            await house.judged("ada")
            assert house.status()["failures"] == 0
        (wrong,) = configured_sources([SourceSettings.model_validate(source | {"token": "another"})])
        said = (await check(wrong)).said
        assert said.startswith("the server refuses to play (40")
        assert said.endswith("check the url and the token")
