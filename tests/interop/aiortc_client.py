"""aiortc as a publisher: the packets of the clip go out as they are, paced by their times, over and over."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from urllib.parse import urljoin

import av
import httpx
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtcconfiguration import RTCBundlePolicy
from av.packet import Packet
from av.stream import Stream

from tests.interop.sidecar import BEARER

PATIENCE_SECONDS = 20.0
BUSY_SECONDS = 90.0
CLOCK_HZ = {"audio": 48_000, "video": 90_000}


def packets(path: Path, kind: str) -> list[tuple[Fraction, bytes]]:
    """The packets of a track in decoding order, each with its time in seconds."""
    with av.open(path) as opened:
        stream = opened.streams.video[0] if kind == "video" else opened.streams.audio[0]
        base = stream.time_base or Fraction(1)
        return [(p.pts * base, bytes(p)) for p in opened.demux(stream) if p.pts is not None and p.size]


class Packets(MediaStreamTrack):
    """One track of a clip on the wall clock, encoded as it is."""

    def __init__(self, kind: str, path: Path, start: float) -> None:
        super().__init__()
        self.kind = kind
        self._packets = packets(path, kind)
        self._period = self._packets[-1][0] + (self._packets[1][0] - self._packets[0][0])
        self._start, self._next = start, 0

    async def recv(self) -> Packet[Stream]:
        turn, number = divmod(self._next, len(self._packets))
        self._next += 1
        seconds, data = self._packets[number]
        at = seconds + turn * self._period
        await asyncio.sleep(max(0.0, self._start + float(at) - time.monotonic()))
        packet: Packet[Stream] = Packet(data)
        packet.pts, packet.time_base = round(at * CLOCK_HZ[self.kind]), Fraction(1, CLOCK_HZ[self.kind])
        return packet


def peer(clip: Path) -> RTCPeerConnection:
    """A peer that sends the clip as one MediaStream."""
    made = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
    start = time.monotonic() + 0.5
    made.addTransceiver(Packets("audio", clip, start), "sendonly")
    video = made.addTransceiver(Packets("video", clip, start), "sendonly")
    known = RTCRtpSender.getCapabilities("video")
    video.setCodecPreferences([c for c in known.codecs if c.mimeType in ("video/VP8", "video/rtx")])
    return made


async def connected(one: RTCPeerConnection) -> None:
    """Wait until ICE and DTLS are through."""
    there = asyncio.Event()

    def changed() -> None:
        if one.connectionState == "connected":
            there.set()

    one.on("connectionstatechange", changed)
    changed()
    await asyncio.wait_for(there.wait(), PATIENCE_SECONDS)


@dataclass
class Publication:
    """A live WHIP publication."""

    peer: RTCPeerConnection
    session: str
    headers: httpx.Headers

    async def delete(self, verify: ssl.SSLContext | bool = True) -> None:
        """Leave as RFC 9725 has it."""
        async with httpx.AsyncClient(headers=BEARER, timeout=10, verify=verify) as client:
            (await client.delete(self.session)).raise_for_status()


async def _offered(endpoint: str, offer: str, verify: ssl.SSLContext | bool) -> httpx.Response:
    """Send the offer; whoever is told that the machine is too slow now asks again when they are told to."""
    sdp = {"Content-Type": "application/sdp"}
    async with (
        asyncio.timeout(BUSY_SECONDS),
        httpx.AsyncClient(headers=BEARER, timeout=20, verify=verify) as client,
    ):
        while True:
            answer = await client.post(endpoint, content=offer.encode(), headers=sdp)
            if answer.status_code != 503:
                return answer
            await asyncio.sleep(float(answer.headers["retry-after"]))


@contextlib.asynccontextmanager
async def publishing(endpoint: str, clip: Path, verify: ssl.SSLContext | bool = True) -> AsyncIterator[Publication]:
    """Publish the clip by WHIP until the context ends; what was not deleted by then is."""
    one = peer(clip)
    try:
        await one.setLocalDescription(await one.createOffer())
        answer = await _offered(endpoint, one.localDescription.sdp, verify)
        assert answer.status_code == 201, answer.text
        await one.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        await connected(one)
        yield Publication(one, urljoin(endpoint, answer.headers["location"]), answer.headers)
    finally:
        await one.close()
