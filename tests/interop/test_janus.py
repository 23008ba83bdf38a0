"""Through an SFU: somebody publishes into a Janus video room, and its offer to a subscriber is handed to our endpoint.

That is all the glue there is: one HTTP request, with the answer handed back.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription

from tests.interop import janus
from tests.interop.aiortc_client import connected, peer
from tests.interop.check import Bench
from tests.interop.installed import needs, version_of
from tests.interop.results import Row
from tests.interop.sidecar import BEARER, LEAVE_SECONDS

pytestmark = [pytest.mark.asyncio(loop_scope="session"), needs("janus", "janus")]


@dataclass
class Forwarded:
    """A publisher in Janus whose media Janus sends to the sidecar."""

    publisher: RTCPeerConnection
    session_url: str

    async def delete(self) -> None:
        """What the glue must do when the publisher has left."""
        async with httpx.AsyncClient(headers=BEARER, timeout=10) as client:
            (await client.delete(self.session_url)).raise_for_status()


@contextlib.asynccontextmanager
async def forwarding(folder: Path, endpoint: str, clip: Path) -> AsyncIterator[Forwarded]:
    """Publish the clip into Janus and hand Janus' offer to a WHIP endpoint."""
    one = peer(clip)
    try:
        async with janus.janus(folder) as address, janus.session(address) as session:
            await one.setLocalDescription(await one.createOffer())
            publisher, feed, answer = await janus.publish(session, one.localDescription.sdp)
            await one.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            await connected(one)
            await session.until("webrtcup", publisher)
            handle, offer = await janus.subscribe(session, feed)
            async with httpx.AsyncClient(headers=BEARER, timeout=20) as client:
                sdp = {"Content-Type": "application/sdp"}
                made = await client.post(endpoint, content=offer.encode(), headers=sdp)
            assert made.status_code == 201, f"{made.text}\n{offer}"
            await janus.start(session, handle, made.text)
            yield Forwarded(one, urljoin(endpoint, made.headers["location"]))
    finally:
        await one.close()


async def test_janus_offers_a_publisher(bench: Bench, tmp_path: Path) -> None:
    row = Row("Janus VideoRoom", version_of("janus"), "VP8, Opus", "its subscriber offer, handed to WHIP")
    async with (
        bench.judged(row) as name,
        forwarding(tmp_path, bench.host.endpoint(name), bench.clip.webm) as forwarded,
    ):
        await bench.published(name)
        await forwarded.delete()


async def test_when_the_publisher_leaves_janus_silence_ends_the_participant(bench: Bench, tmp_path: Path) -> None:
    """Nothing else does: Janus keeps its connection to us."""
    row = Row("Janus, no DELETE", version_of("janus"), "VP8, Opus", f"`leave_seconds: {LEAVE_SECONDS:g}`")
    async with (
        bench.judged(row) as name,
        forwarding(tmp_path, bench.host.endpoint(name), bench.clip.webm) as forwarded,
    ):
        await bench.published(name)
        await forwarded.publisher.close()
        await bench.host.until(
            lambda: bench.host.states[name][-1]["reason"] == "media_ended", LEAVE_SECONDS + 5, "the silence ends it"
        )
