"""An aiortc peer in this process that publishes a flash and a beep, as a browser would through WHIP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from fractions import Fraction

import av
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtcconfiguration import RTCBundlePolicy
from aiortc.rtcdtlstransport import RTCCertificate

from monitor.tap.media.config import TapConfig, local_addresses
from monitor.tap.media.decode import Decoder, make_decoder
from monitor.tap.webrtc import WebRtcPeer
from monitor.types import AudioBlock, MediaItem, TrackFault, VideoFrame
from tests.monitor.tap.clips import SOUND_RATE, picture_frame, sound_frame

LOCAL = TapConfig(allowed_networks=local_addresses())
SIZE = (320, 240)


class _Paced(MediaStreamTrack):
    """A track on the publisher's wall clock: frame n is captured at n periods after the common start."""

    def __init__(self, kind: str, start: float, period: float, first: int) -> None:
        super().__init__()
        self.kind = kind
        self._start, self._period, self._next = start, period, first
        self.paused = False

    async def _turn(self) -> float:
        while True:
            at = self._next * self._period
            self._next += 1
            await asyncio.sleep(max(0.0, self._start + at - time.monotonic()))
            if not self.paused:
                return at


class Beeps(_Paced):
    def __init__(self, start: float, first: float = 0.0) -> None:
        super().__init__("audio", start, 0.02, round(first / 0.02))

    async def recv(self) -> av.AudioFrame:
        at = await self._turn()
        frame = sound_frame(at, 960)
        frame.pts, frame.time_base = round(at * SOUND_RATE), Fraction(1, SOUND_RATE)
        return frame


class Flashes(_Paced):
    def __init__(self, start: float, first: float = 0.0, fps: float = 25.0, size: tuple[int, int] = SIZE) -> None:
        super().__init__("video", start, 1 / fps, round(first * fps))
        self._size = size

    async def recv(self) -> av.VideoFrame:
        at = await self._turn()
        frame = picture_frame(at, *self._size)
        frame.pts, frame.time_base = round(at * 90_000), Fraction(1, 90_000)
        return frame


@dataclass
class Call:
    """Both ends of a loopback call."""

    publisher: RTCPeerConnection
    peer: WebRtcPeer
    answer: str
    audio: Beeps | None
    video: Flashes | None


@asynccontextmanager
async def call(
    *,
    config: TapConfig = LOCAL,
    audio: bool = True,
    video: bool = True,
    codec: str = "video/VP8",
    video_after: float = 0.0,
    size: tuple[int, int] = SIZE,
    decoders: Callable[[str, int], Decoder] = make_decoder,
    certificate: RTCCertificate | None = None,
    prepare: Callable[[RTCPeerConnection], None] = lambda publisher: None,
) -> AsyncIterator[Call]:
    """Publish; the pictures begin `video_after` seconds later than the sound, on the same clock.

    `prepare` is called with the publisher when it has made its offer.
    """
    publisher = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
    if certificate is not None:
        vars(publisher)["_RTCPeerConnection__certificates"] = [certificate]
    start = time.monotonic() + 0.3
    beeps = Beeps(start) if audio else None
    flashes = Flashes(start, video_after, size=size) if video else None
    if beeps:
        publisher.addTransceiver(beeps, "sendonly")
    if flashes:
        sender = publisher.addTransceiver(flashes, "sendonly")
        known = RTCRtpSender.getCapabilities("video")
        assert known is not None
        sender.setCodecPreferences([c for c in known.codecs if c.mimeType in (codec, "video/rtx")])
    await publisher.setLocalDescription(await publisher.createOffer())
    prepare(publisher)
    peer, answer = await WebRtcPeer.answer(publisher.localDescription.sdp, config, decoders)
    try:
        await publisher.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        yield Call(publisher, peer, answer, beeps, flashes)
    finally:
        await peer.close()
        await publisher.close()


async def collect(
    peer: WebRtcPeer, enough: Callable[[list[MediaItem]], bool], timeout: float = 20.0
) -> list[MediaItem]:
    """Read until `enough`, or fail after `timeout`."""
    items: list[MediaItem] = []

    async def read() -> None:
        async for item in peer:
            items.append(item if not isinstance(item, VideoFrame) else replace(item, y=item.y.copy()))
            if enough(items):
                return

    await asyncio.wait_for(read(), timeout)
    return items


def frames(items: list[MediaItem]) -> list[VideoFrame]:
    return [item for item in items if isinstance(item, VideoFrame)]


def blocks(items: list[MediaItem]) -> list[AudioBlock]:
    return [item for item in items if isinstance(item, AudioBlock)]


def faults(items: list[MediaItem]) -> list[TrackFault]:
    return [item for item in items if isinstance(item, TrackFault)]


async def passed(live: Call, packets: int) -> None:
    """Wait until the publisher has sent so many more packets."""
    transport = live.publisher.getSenders()[0].transport
    send, left, enough = transport._send_rtp, packets, asyncio.Event()

    async def counted(data: bytes) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            enough.set()
        await send(data)

    transport._send_rtp = counted  # type: ignore[method-assign]
    await asyncio.wait_for(enough.wait(), 20)
    transport._send_rtp = send  # type: ignore[method-assign]
