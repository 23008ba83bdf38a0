"""The other end of each way into calls, which a measurement can start, publish into, break and start again.

They are those of the tests: aiortc by WHIP and WHEP, Debian's Janus, FFmpeg, LiveKit's protocol by a server of ours
(the SDK is the real one), and the double of Zoom.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import httpx
from av import AudioStream, VideoStream
from av.packet import Packet
from av.stream import Stream

from plugins.protocols.zoom import messages
from tests.e2e.media import marry
from tests.e2e.test_call import GENUINE
from tests.interop import aiortc_client, janus, janus_room
from tests.interop.clip import BLOCK_SAMPLES, RATE_HZ
from tests.interop.sidecar import CALL, POLL_SECONDS, Sidecar, free_port
from tests.monitor.alerts.sinks.certificates import issue
from tests.plugins import livekit_server, test_rtp, zoom_server
from tests.plugins.test_zoom_judged import pictures_of, sound_of
from tests.plugins.whep_server import WhepServer, whep_server

SIDE_PX = 256
FPS = 25
LOOP_SECONDS = 10.0
# As a server says for as long as nobody publishes.
ABSENT = ["409 1"] * 10_000
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Clip:
    """Somebody: `mp4` as it was recorded, `webm` of VP8 and Opus."""

    mp4: Path
    webm: Path


def make(folder: Path, name: str, sound: Path, seconds: float) -> Clip:
    """Put a sound to the genuine pictures as calls have them, so long; what repeats is encoded once."""
    clip, once = Clip(folder / f"{name}.mp4", folder / f"{name}.webm"), folder / f"{name}-once.mp4"
    marry(GENUINE, sound, seconds, clip.mp4)
    marry(GENUINE, sound, 0.0, once)
    with av.open(clip.webm, "w") as out:
        video = out.add_stream("libvpx", rate=FPS, options={"deadline": "realtime", "cpu-used": "8", "g": "50"})
        video.width = video.height = SIDE_PX
        video.pix_fmt, video.bit_rate = "yuv420p", 800_000
        audio = out.add_stream("libopus", rate=RATE_HZ, layout="mono")
        pictures, blocks = _pictures(once), _blocks(once)
        # Whole pictures and whole blocks of sound last equally long.
        blocks = blocks[: len(pictures) * RATE_HZ // FPS // BLOCK_SAMPLES]
        placed: list[tuple[Fraction, bytes, VideoStream | AudioStream]] = []
        for stream, frames in ((video, pictures), (audio, blocks)):
            coded = [packet for frame in (*frames, None) for packet in stream.encode(frame)]
            placed += [((p.pts or 0) * (p.time_base or Fraction(0)), bytes(p), stream) for p in coded]
        for turn in range(int(seconds * FPS / len(pictures)) + 1):
            for at, data, stream in sorted(placed, key=lambda one: one[0]):
                packet: Packet[Stream] = Packet(data)
                packet.stream, packet.time_base = stream, Fraction(1, 1000)
                packet.pts = packet.dts = round(1000 * (at + Fraction(turn * len(pictures), FPS)))
                out.mux(packet)
    return clip


def _pictures(clip: Path) -> list[av.VideoFrame]:
    with av.open(clip) as seen:
        made = [frame.reformat(SIDE_PX, SIDE_PX, "yuv420p") for frame in seen.decode(video=0)]
    for number, picture in enumerate(made):
        picture.pts, picture.time_base = number, Fraction(1, FPS)
    return made


def _blocks(clip: Path) -> list[av.AudioFrame]:
    resampler = av.AudioResampler("s16", "mono", RATE_HZ, frame_size=BLOCK_SAMPLES)
    with av.open(clip) as heard:
        made = [piece for frame in heard.decode(audio=0) for piece in resampler.resample(frame)]
    for number, piece in enumerate(made):
        piece.pts, piece.time_base = number * BLOCK_SAMPLES, Fraction(1, RATE_HZ)
    return made


Publish = Callable[[Sidecar | None], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield


async def _of_itself() -> None:
    """Do nothing: it is killed where the context of who publishes ends."""


@dataclass
class Far:
    """The other end of one way: `sources` watch it, `serve` runs its server, at the same address whenever it does.

    `publish` has somebody publish. `kill` breaks the server off while somebody does, where it is a server's to break;
    `restarts` is whether that is tried.
    """

    sources: list[dict[str, Any]]
    publish: Publish
    serve: Callable[[], AbstractAsyncContextManager[None]] = _nothing
    kill: Callable[[], Awaitable[None]] = field(default=_of_itself)
    restarts: bool = True


def whip(_folder: Path, clip: Clip, name: str) -> Far:
    """Published to the sidecar itself, which nobody needs to join."""

    @asynccontextmanager
    async def publish(house: Sidecar | None) -> AsyncIterator[None]:
        assert house is not None
        async with aiortc_client.publishing(house.endpoint(name), clip.webm) as publication:
            yield
            await publication.delete()

    return Far([], publish, restarts=False)


def whep(_folder: Path, clip: Clip, name: str) -> Far:
    """A player's server."""
    port, running = free_port(), list[WhepServer]()

    @asynccontextmanager
    async def serve() -> AsyncIterator[None]:
        async with whep_server(*ABSENT, port=port, peer=lambda: aiortc_client.peer(clip.webm)) as server:
            running[:] = [server]
            yield

    @asynccontextmanager
    async def publish(_house: Sidecar | None) -> AsyncIterator[None]:
        (server,) = running
        server.script = []
        yield
        server.script = list(ABSENT)
        await server.stop_playing()

    async def kill() -> None:
        await running[0].kill()

    source = {"plugin": "whep", "url": f"http://127.0.0.1:{port}/whep", "participant": name, "call": CALL}
    return Far([source], publish, serve, kill)


def room(folder: Path, clip: Clip, name: str) -> Far:
    """A room of Janus."""
    port = free_port()
    address = f"ws://127.0.0.1:{port}"

    @asynccontextmanager
    async def serve() -> AsyncIterator[None]:
        async with janus.janus(folder, port):
            await janus_room.make_room(address)
            yield

    @asynccontextmanager
    async def publish(_house: Sidecar | None) -> AsyncIterator[None]:
        async with janus_room.publishing(address, name, make=lambda: aiortc_client.peer(clip.webm)):
            yield

    async def kill() -> None:
        janus.kill(port)

    return Far([{"plugin": "janus", "url": address, "room": janus.ROOM, "call": CALL}], publish, serve, kill)


def rtp(_folder: Path, clip: Clip, name: str) -> Far:
    """Packets of FFmpeg, which is killed each time."""
    audio, video = test_rtp.ports()
    to = [f"rtp://127.0.0.1:{port}?pkt_size=1200" for port in (video, audio)]
    sent = ["-map", "0:v", "-c", "copy", "-payload_type", "96", "-f", "rtp", to[0]]
    heard = ["-map", "0:a", "-c", "copy", "-payload_type", "111", "-f", "rtp", to[1]]

    @asynccontextmanager
    async def publish(_house: Sidecar | None) -> AsyncIterator[None]:
        async with test_rtp.program(
            "ffmpeg", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", str(clip.webm), *sent, *heard
        ):
            yield

    return Far(
        [{"plugin": "rtp", "audio_port": audio, "video_port": video, "participant": name, "call": CALL}], publish
    )


def livekit(_folder: Path, clip: Clip, name: str) -> Far:
    """A room of LiveKit."""
    port, running = free_port(), list[livekit_server.LiveKitServer]()

    @asynccontextmanager
    async def serve() -> AsyncIterator[None]:
        async with livekit_server.livekit_server(CALL, port) as server:
            running[:] = [server]
            yield

    @asynccontextmanager
    async def publish(_house: Sidecar | None) -> AsyncIterator[None]:
        (server,) = running
        start = time.monotonic() + 0.5
        await server.join(name)
        for kind, said in (("audio", livekit_server.MICROPHONE), ("video", livekit_server.CAMERA)):
            await server.publish(name, lambda k=kind: aiortc_client.Packets(k, clip.webm, start), **said)  # type: ignore[misc]
        yield
        # Where the server was killed nobody is told, and nobody would answer.
        if running:
            await server.leave(name)

    async def kill() -> None:
        running.pop().kill()

    options = {"api_key": livekit_server.API_KEY, "api_secret": livekit_server.API_SECRET, "room": CALL}
    source = {"plugin": "livekit", "url": f"ws://127.0.0.1:{port}", "call": CALL, **options}
    return Far([source], publish, serve, kill)


def rtms(folder: Path, clip: Clip, name: str) -> Far:
    """The double of Zoom, which encodes by itself, and repeats."""
    port, far, running = free_port(), free_port(), list[zoom_server.Zoom]()

    def person() -> zoom_server.Person:
        frames = pictures_of(clip.mp4, LOOP_SECONDS)
        period = int(len(frames) / FPS / 0.02) * 0.02
        heard = sound_of(clip.mp4)[: round(period * zoom_server.SOUND_RATE) * 2]
        heard += bytes(max(0, round(period * zoom_server.SOUND_RATE) * 2 - len(heard)))
        return zoom_server.Person(5, name, zoom_server.encode(frames, FPS), heard, period)

    issued = issue(folder, zoom_server.HOST)

    @asynccontextmanager
    async def serve() -> AsyncIterator[None]:
        running[:] = [zoom_server.Zoom([await asyncio.to_thread(person)], issued, port=far)]
        await running[0].start()
        try:
            yield
        finally:
            await running[0].kill()

    @asynccontextmanager
    async def publish(_house: Sidecar | None) -> AsyncIterator[None]:
        (zoom,) = running
        zoom.muted.clear()
        if zoom.signalling is not None:
            await zoom.join(*zoom.people)
        else:
            await _told(port, zoom_server.started(zoom.url))
        yield
        if zoom.signalling is not None:
            # Whoever is heard is in the meeting.
            zoom.muted |= {one.user for one in zoom.people}
            await zoom.event(messages.LEFT, participants=[{"user_id": str(one.user)} for one in zoom.people])

    async def kill() -> None:
        await running[0].kill()

    source = {"plugin": "zoom_rtms", "client_id": zoom_server.CLIENT_ID, "port": port, "call": CALL}
    source |= {"client_secret": zoom_server.CLIENT_SECRET, "webhook_secret": zoom_server.WEBHOOK_SECRET}
    return Far([source | {"ca_file": str(issued.ca)}], publish, serve, kill)


async def _told(port: int, webhook: dict[str, Any]) -> None:
    """Send a webhook once somebody listens."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            with contextlib.suppress(httpx.ConnectError):
                (await zoom_server.post(port, webhook)).raise_for_status()
                return
            await asyncio.sleep(POLL_SECONDS)


WAYS: dict[str, Callable[[Path, Clip, str], Far]] = {
    "whip": whip, "whep": whep, "janus": room, "rtp": rtp, "livekit": livekit, "rtms": rtms
}  # fmt: skip
