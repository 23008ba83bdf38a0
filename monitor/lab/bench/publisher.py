"""The other end of the benchmark, a process of its own: N WHIP publishers that send one stream, encoded beforehand.

    python -m monitor.lab.bench.publisher STREAM BASE N [--identity NAME] [--first NUMBER] [--held]

The token is in SIDEWITNESS_TOKEN. Events go to stdout, a JSON object a line, times on the machine's monotonic clock;
the end of stdin ends it. `--held` connects everybody first, goes on when some are refused, and sends nothing before a
line on stdin says so. What it sends is never encoded here, so that it takes little from whom it measures.
"""

from __future__ import annotations

import argparse
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
from urllib.parse import quote, urljoin

from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtcconfiguration import RTCBundlePolicy
from av.packet import Packet

from engines.errors import SidewitnessError
from monitor.lab.bench.child import die_with_parent, keep_to_cores
from monitor.lab.bench.clip import FPS, OPUS_FRAMES_PER_SECOND, Stream, load

CONNECT_SECONDS = 20.0
REQUEST_SECONDS = 15.0
CALL = "bench"
FULL = 503


class RefusedError(SidewitnessError):
    """The sidecar did not take a publication, or the media did not connect; `full` says that it had no room."""

    def __init__(self, why: str, full: bool = False) -> None:
        super().__init__(why)
        self.full = full


class Pace:
    """When a participant's media began, not before `begin` is set; both of its tracks keep to it."""

    def __init__(self, begin: asyncio.Event | None = None) -> None:
        self._begin = begin
        self._origin: float | None = None
        self.late = 0.0

    async def wait(self, at: float) -> None:
        """Wait until `at` seconds after the first call; notes by how much the sender is late."""
        if self._begin is not None:
            await self._begin.wait()
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
        """Return the next frame when it is due."""
        number, self._number = self._number, self._number + 1
        await self._pace.wait(number / self._rate)
        if number == 0:
            self._sent()
        packet = Packet(self._frames[number % len(self._frames)])
        packet.pts, packet.time_base = number, Fraction(1, self._rate)
        return packet


class Publication:
    """One participant."""

    def __init__(
        self,
        name: str,
        stream: Stream,
        tell: Callable[..., None],
        identity: str | None = None,
        begin: asyncio.Event | None = None,
    ) -> None:
        self._name = name
        self._query = "" if identity is None else f"?identity={quote(identity)}"
        self.pace = Pace(begin)
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self._settled = asyncio.Event()
        self._peer.on("connectionstatechange", self._changed)
        self._session: str | None = None
        sent = lambda: tell("media", participant=name, at=time.monotonic())  # noqa: E731
        self._peer.addTransceiver(
            LoopTrack("audio", stream.audio, OPUS_FRAMES_PER_SECOND, self.pace, _nothing), "sendonly"
        )
        video = self._peer.addTransceiver(LoopTrack("video", stream.video, FPS, self.pace, sent), "sendonly")
        codecs = RTCRtpSender.getCapabilities("video").codecs
        video.setCodecPreferences([codec for codec in codecs if codec.mimeType in ("video/VP8", "video/rtx")])

    async def begin(self, base: str, token: str) -> None:
        """Offer, and wait until media can flow; raises `RefusedError`."""
        url = f"{base}/v1/calls/{CALL}/participants/{self._name}/whip"
        offered = url + self._query
        await self._peer.setLocalDescription(await self._peer.createOffer())
        answer, location = await asyncio.to_thread(request, "POST", offered, token, self._peer.localDescription.sdp)
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
        raise RefusedError(f"the sidecar refused a publication ({error.code})", error.code == FULL) from None
    except OSError as error:
        raise RefusedError(f"the sidecar cannot be reached ({type(error).__name__})") from None


def say(event: str, **fields: Any) -> None:
    """Tell the parent."""
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


async def publish(stream: Stream, base: str, token: str, asked: argparse.Namespace) -> None:
    """Publish `asked.count` participants until stdin ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    begin = asyncio.Event() if asked.held else None
    made: list[Publication] = []
    try:
        for number in range(asked.first, asked.first + asked.count):
            one = Publication(f"p{number}", stream, say, asked.identity, begin)
            made.append(one)
            await _begin(one, base, token, asked.held)
        say("connected")
        await reader.readline()
        if begin is not None:
            begin.set()
        await reader.read()
    except RefusedError as refused:
        say("failed", why=str(refused), full=refused.full)
    finally:
        say("late", seconds=max((one.pace.late for one in made), default=0.0))
        await asyncio.gather(*(one.end(token) for one in made))


async def _begin(one: Publication, base: str, token: str, tolerant: bool) -> None:
    try:
        await one.begin(base, token)
    except RefusedError as refused:
        if not (tolerant and refused.full):
            raise
        say("refused")


def main() -> int:
    """Publish as the arguments say."""
    die_with_parent()
    keep_to_cores()
    parser = argparse.ArgumentParser()
    parser.add_argument("stream", type=Path)
    parser.add_argument("base")
    parser.add_argument("count", type=int)
    parser.add_argument("--identity")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--held", action="store_true")
    asked = parser.parse_args()
    asyncio.run(publish(load(asked.stream), asked.base, os.environ["SIDEWITNESS_TOKEN"], asked))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
