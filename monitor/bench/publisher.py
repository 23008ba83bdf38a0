"""The other end of the benchmark, a process of its own: N WHIP publishers that send one stream, encoded beforehand.

    python -m monitor.bench.publisher STREAM BASE N

The token is in SIDEWITNESS_TOKEN. Events go to stdout, a JSON object a line, times on the machine's monotonic clock;
the end of stdin ends it. What it sends is never encoded here, so that it takes little from whom it measures.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtcconfiguration import RTCBundlePolicy
from av.packet import Packet

from monitor.bench.child import die_with_parent
from monitor.bench.clip import FPS, PER_SECOND, Stream, load

CONNECT_SECONDS = 20.0
REQUEST_SECONDS = 15.0
CALL = "bench"


class RefusedError(Exception):
    """The sidecar did not take a publication, or the media did not connect."""


class Pace:
    """When a participant's media began; both of its tracks keep to it."""

    def __init__(self) -> None:
        self._origin: float | None = None
        self.late = 0.0

    async def wait(self, at: float) -> None:
        """Wait until `at` seconds after the first call; notes by how much the sender is late."""
        now = time.monotonic()
        if self._origin is None:
            self._origin = now
        ahead = self._origin + at - now
        if ahead > 0:
            await asyncio.sleep(ahead)
        else:
            self.late = max(self.late, -ahead)


class LoopTrack(MediaStreamTrack):
    """Encoded frames round and round, in real time; `sent` is called before the first."""

    def __init__(self, kind: str, frames: tuple[bytes, ...], rate: int, pace: Pace, sent: Callable[[], None]) -> None:
        super().__init__()
        self.kind = kind
        self._frames, self._rate, self._pace, self._sent = frames, rate, pace, sent
        self._number = 0

    async def recv(self) -> Packet[Any]:
        """Give the next frame when it is due."""
        number, self._number = self._number, self._number + 1
        await self._pace.wait(number / self._rate)
        if number == 0:
            self._sent()
        packet = Packet(self._frames[number % len(self._frames)])
        packet.pts, packet.time_base = number, Fraction(1, self._rate)
        return packet


class Publication:
    """One participant."""

    def __init__(self, name: str, stream: Stream, tell: Callable[..., None]) -> None:
        self._name = name
        self.pace = Pace()
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self._settled = asyncio.Event()
        self._peer.on("connectionstatechange", self._changed)
        self._session: str | None = None
        sent = lambda: tell("media", participant=name, at=time.monotonic())  # noqa: E731
        self._peer.addTransceiver(LoopTrack("audio", stream.audio, PER_SECOND, self.pace, _nothing), "sendonly")
        video = self._peer.addTransceiver(LoopTrack("video", stream.video, FPS, self.pace, sent), "sendonly")
        codecs = RTCRtpSender.getCapabilities("video").codecs
        video.setCodecPreferences([codec for codec in codecs if codec.mimeType in ("video/VP8", "video/rtx")])

    async def begin(self, base: str, token: str) -> None:
        """Offer, and wait until media can flow; raises `RefusedError`."""
        url = f"{base}/v1/calls/{CALL}/participants/{self._name}/whip"
        await self._peer.setLocalDescription(await self._peer.createOffer())
        answer, location = await asyncio.to_thread(request, "POST", url, token, self._peer.localDescription.sdp)
        self._session = urljoin(url, location)
        await self._peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), CONNECT_SECONDS)
        if self._peer.connectionState != "connected":
            raise RefusedError("media did not connect over this machine's own addresses")

    async def end(self, token: str) -> None:
        """Leave."""
        if self._session is not None:
            with contextlib.suppress(RefusedError):
                await asyncio.to_thread(request, "DELETE", self._session, token)
        await self._peer.close()

    def _changed(self) -> None:
        if self._peer.connectionState in ("connected", "failed", "closed"):
            self._settled.set()


def _nothing() -> None:
    return


def request(method: str, url: str, token: str, body: str | None = None) -> tuple[str, str]:
    """Send one request; returns body and Location, raises `RefusedError` with what the server says."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"}
    data = None if body is None else body.encode()
    message = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - the address of our own child
    # No proxy: the server is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(message, timeout=REQUEST_SECONDS) as response:
            return response.read().decode(), response.headers.get("Location", "")
    except urllib.error.HTTPError as error:
        raise RefusedError(f"the sidecar refused a publication ({error.code})") from None
    except OSError as error:
        raise RefusedError(f"the sidecar cannot be reached ({type(error).__name__})") from None


def say(event: str, **fields: Any) -> None:
    """Tell the parent."""
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


async def publish(stream: Stream, base: str, count: int, token: str) -> None:
    """Publish `count` participants until stdin ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    made: list[Publication] = []
    try:
        for number in range(count):
            made.append(Publication(f"p{number + 1}", stream, say))
            await made[-1].begin(base, token)
        say("connected")
        await reader.read()
    except RefusedError as refused:
        say("failed", why=str(refused))
    finally:
        say("late", seconds=max((one.pace.late for one in made), default=0.0))
        await asyncio.gather(*(one.end(token) for one in made))


def main() -> int:
    """Publish as the arguments say."""
    die_with_parent()
    path, base, count = sys.argv[1:]
    asyncio.run(publish(load(Path(path)), base, int(count), os.environ["SIDEWITNESS_TOKEN"]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
