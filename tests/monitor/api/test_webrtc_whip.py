"""WHIP with a real WebRTC client: aiortc publishes over HTTP, trickles, is judged, and leaves."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path

import httpx
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack
from aiortc.rtcconfiguration import RTCBundlePolicy

from monitor.host import logging as log
from monitor.tap.media.config import TapConfig, local_addresses
from monitor.tap.webrtc import WebRtcPeer
from monitor.types import AudioBlock, MediaItem, ParticipantKey, VideoFrame
from tests.monitor.api.server import WHIP, Site, receive, serving
from tests.monitor.rig import ScriptedSession

PATIENCE = 20.0
SDP = {"Content-Type": "application/sdp"}
TAP = TapConfig(allowed_networks=local_addresses())


async def answer(offer: str) -> tuple[WebRtcPeer, str]:
    return await WebRtcPeer.answer(offer, TAP)


class Watching(ScriptedSession):
    """Notes which kinds of media came through the host."""

    def push(self, item: MediaItem) -> None:
        self.seen.append(item)


@pytest.fixture
def sessions() -> list[Watching]:
    return []


@pytest.fixture
async def site(tmp_path: Path, sessions: list[Watching]) -> AsyncIterator[Site]:
    def factory(key: ParticipantKey) -> Watching:
        sessions.append(Watching(key))
        return sessions[-1]

    async with serving(tmp_path, sessions=factory, answer=answer) as made:
        yield made


async def test_a_call_over_whip(site: Site, sessions: list[Watching]) -> None:
    publisher = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
    connected = asyncio.Event()

    @publisher.on("connectionstatechange")
    def changed() -> None:
        if publisher.connectionState == "connected":
            connected.set()

    publisher.addTransceiver(AudioStreamTrack(), "sendonly")
    publisher.addTransceiver(VideoStreamTrack(), "sendonly")
    await publisher.setLocalDescription(await publisher.createOffer())
    async with site.client() as client, site.subscribe(states=True) as socket:
        offer = publisher.localDescription.sdp
        response = await client.post(WHIP + "?identity=Ada", content=offer.encode(), headers=SDP, timeout=PATIENCE)
        assert response.status_code == 201, response.text
        fragment = trickle(offer)
        headers = {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": response.headers["etag"]}
        session = response.headers["location"]
        taken = await client.patch(session, content=fragment.encode(), headers=headers)
        assert taken.status_code == 204, taken.text
        restart = fragment.replace("a=ice-ufrag:", "a=ice-ufrag:zz")
        refused = await client.patch(session, content=restart.encode(), headers={**headers, "If-Match": "*"})
        assert refused.status_code == 422
        await publisher.setRemoteDescription(RTCSessionDescription(response.text, "answer"))
        await asyncio.wait_for(connected.wait(), PATIENCE)
        async with asyncio.timeout(PATIENCE):
            async for text in socket:
                kinds = {type(item) for item in sessions[0].seen}
                if {AudioBlock, VideoFrame} <= kinds and '"state"' in str(text):
                    break
        assert (await client.get("/v1/calls/board")).json()["participants"][0]["identity"] == "Ada"
        assert (await client.delete(session)).status_code == 200
        assert (await client.get("/v1/calls")).json() == {"calls": []}
        async with asyncio.timeout(PATIENCE):
            async for text in socket:
                if '"ended"' in str(text):
                    break
    await publisher.close()


async def test_a_publication_that_never_connects_says_why(site: Site) -> None:
    """To subscribers, in the log and in a counter; and nobody ever says that its camera is off."""
    logged = StringIO()
    log.configure("info", "json", stream=logged)
    publisher = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
    publisher.addTransceiver(AudioStreamTrack(), "sendonly")
    await publisher.setLocalDescription(await publisher.createOffer())
    offer = re.sub("(a=fingerprint:sha-256 )..:..", "\\1AB:CD", publisher.localDescription.sdp)
    offer = re.sub("a=fingerprint:sha-(384|512).*\r\n", "", offer)
    async with site.client() as client, site.subscribe(states=True) as socket:
        response = await client.post(WHIP, content=offer.encode(), headers=SDP, timeout=PATIENCE)
        (shown,) = (await client.get("/v1/calls/board")).json()["participants"]
        assert (shown["verdict"], shown["reason"]) == ("inconclusive", "connecting")
        await publisher.setRemoteDescription(RTCSessionDescription(response.text, "answer"))
        reasons: list[str] = []
        async with asyncio.timeout(PATIENCE):
            while reasons[-1:] != ["dtls_failed"]:
                message = await receive(socket)
                reasons += [message["reason"]] if message["type"] == "state" else []
        assert set(reasons) <= {"connecting", "dtls_failed"}
        metrics = (await client.get("/metrics")).text
        assert 'sidewitness_connections_failed_total{cause="dtls_failed"} 1.0' in metrics
        assert (await client.get("/v1/calls")).json() == {"calls": []}
    await publisher.close()
    # Less what the client of this test says of its own requests.
    lines = [line for line in logged.getvalue().splitlines() if json.loads(line)["logger"] != "httpx"]
    why = [json.loads(line)["why"] for line in lines if '"why"' in line]
    assert why == ["DTLS handshake failed: the certificate is not the one of the offer's fingerprint"]
    for secret in ("board", "p1", "a=", "AB:CD", *(c.split()[4] for c in candidates(offer))):
        assert secret not in "".join(lines)


def candidates(offer: str) -> list[str]:
    return [line for line in offer.splitlines() if line.startswith("a=candidate:")]


async def test_offers_that_the_tap_refuses_are_problems(site: Site) -> None:
    async with site.client() as client:
        for offer in ("nonsense", "v=0\r\n", "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"):
            response: httpx.Response = await client.post(WHIP, content=offer.encode(), headers=SDP)
            assert response.status_code in (400, 422)
            assert response.headers["content-type"] == "application/problem+json"
            assert "\n" not in response.json()["detail"]
        assert (await client.get("/v1/calls")).json() == {"calls": []}


def trickle(offer: str) -> str:
    """The ICE lines of an offer as a fragment (RFC 8840)."""
    lines = offer.splitlines()
    credentials = [next(line for line in lines if line.startswith(f"a=ice-{name}:")) for name in ("ufrag", "pwd")]
    media = next(line for line in lines if line.startswith("m="))
    mid = next(line for line in lines if line.startswith("a=mid:"))
    candidates = [line for line in lines if line.startswith("a=candidate:")]
    return "\r\n".join([*credentials, media, mid, *candidates, "a=end-of-candidates", ""])
