"""Zoom's side of RTMS, from its published messages: webhooks, signalling and media over TLS, well-behaved or not.

What it sends is encoded beforehand; a person's pictures are sent from where they stand, as a meeting's are.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.monitor.alerts.sinks.certificates import Issued, issue
from tests.monitor.tap.clips import picture_frame

CLIENT_ID, CLIENT_SECRET, WEBHOOK_SECRET = "a-client", "a-client-secret", "a-webhook-secret"
MEETING, STREAM = "4gXk/Wb7Sw==", "756FF58A-6332"
HOST = "localhost"
SOUND_RATE = 16_000

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Person:
    """Somebody in the meeting; pictures are (seconds, bytes) of Annex B, sound is int16 at 16 kHz, both repeated."""

    user: int
    name: str
    pictures: tuple[tuple[float, bytes], ...]
    sound: bytes
    period: float
    opus: tuple[bytes, ...] = ()


def encode(pictures: list[tuple[float, av.VideoFrame]], fps: int) -> tuple[tuple[float, bytes], ...]:
    """Encode pictures as Zoom sends them: H.264, Annex B, a key frame a second."""
    context = av.CodecContext.create("libx264", "w")
    first = pictures[0][1]
    context.width, context.height, context.pix_fmt = first.width, first.height, "yuv420p"
    context.framerate, context.time_base = Fraction(fps), Fraction(1, fps)
    context.options = {"tune": "zerolatency", "preset": "ultrafast", "g": str(fps), "profile": "baseline"}
    coded: list[tuple[float, bytes]] = []
    for n, (at, frame) in enumerate(pictures):
        frame.pts = n
        coded += [(at, bytes(packet)) for packet in context.encode(frame)]
    return tuple(coded)


def made_person(user: int, name: str, fps: int = 15, seconds: float = 2.0) -> Person:
    """Make somebody of flashes and beeps at the same moments."""
    frames = [(n / fps, picture_frame(n / fps, 160, 120)) for n in range(int(fps * seconds))]
    times = np.arange(int(seconds * SOUND_RATE)) / SOUND_RATE
    sound = (12000 * np.sin(2 * np.pi * 1000 * times) * (times % 1.0 < 0.1)).astype("<i2").tobytes()
    return Person(user, name, encode(frames, fps), sound, seconds, opus_of(sound))


def opus_of(sound: bytes) -> tuple[bytes, ...]:
    """Encode sound as Opus of 48 kHz, in packets of 20 ms."""
    context = av.CodecContext.create("libopus", "w")
    context.sample_rate, context.layout, context.format = 48_000, "mono", "s16"
    resampler = av.AudioResampler("s16", "mono", 48_000, frame_size=960)
    whole = av.AudioFrame.from_ndarray(np.frombuffer(sound, "<i2")[None], format="s16", layout="mono")
    whole.sample_rate = SOUND_RATE
    frames = [*resampler.resample(whole), *resampler.resample(None)]
    return tuple(bytes(packet) for frame in frames if frame.samples == 960 for packet in context.encode(frame))


@dataclass
class Behaviour:
    """How Zoom behaves: by the book unless something is said here."""

    signalling: list[int] = field(default_factory=list)
    audio: JsonObject = field(default_factory=dict)
    video: JsonObject = field(default_factory=dict)
    media_status: dict[str, int] = field(default_factory=dict)
    is_flat: bool = False
    sound_before_join: bool = False
    announces_cameras: bool = True
    cameras_off: set[int] = field(default_factory=set)
    urls: Callable[[str], JsonObject] = lambda url: {"audio": url, "video": url, "all": url}
    asks_alive: bool = True
    noise: tuple[str, ...] = ()


@dataclass
class Zoom:
    """A meeting that streams to one app."""

    people: list[Person]
    issued: Issued
    behaviour: Behaviour = field(default_factory=Behaviour)
    port: int = 0
    heard: list[JsonObject] = field(default_factory=list)
    watching: int | None = None
    muted: set[int] = field(default_factory=set)
    alive: list[int] = field(default_factory=list)
    signalling: ServerConnection | None = None
    media: dict[str, ServerConnection] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    _server: Server | None = None
    _epoch: float = field(default_factory=lambda: time.time() - time.monotonic())
    _streaming: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"wss://{HOST}:{self.port}/signalling"

    async def start(self) -> None:
        self._server = await serve(
            self._serve, HOST, self.port, ssl=self.issued.server, ping_interval=None, compression=None
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def kill(self) -> None:
        """End at once, as a process that is killed: no goodbye is said."""
        for task in self._streaming:
            task.cancel()
        for socket in [self.signalling, *self.media.values()]:
            if socket is not None:
                socket.transport.abort()
        self.signalling, self.media, self.watching = None, {}, None
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def tell(self, **message: Any) -> None:
        """Say something by the signalling connection."""
        assert self.signalling is not None
        await self.signalling.send(json.dumps(message))

    async def event(self, number: int, **about: Any) -> None:
        await self.tell(msg_type=6, event={"event_type": number, "timestamp": round(time.time() * 1000), **about})

    def asked(self, number: int) -> list[JsonObject]:
        """What was asked for by messages of a number."""
        return [message for message in self.heard if message["msg_type"] == number]

    def signature(self) -> str:
        text = f"{CLIENT_ID},{MEETING},{STREAM}"
        return hmac.new(CLIENT_SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()

    async def _serve(self, socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            async for text in socket:
                message = json.loads(text)
                self.heard.append(message)
                await self._take(socket, message)

    async def _take(self, socket: ServerConnection, message: JsonObject) -> None:
        number = message["msg_type"]
        if number in (1, 3) and message["signature"] != self.signature():
            await socket.send(json.dumps({"msg_type": number + 1, "status_code": 3, "reason": "bad signature"}))
        elif number == 1:
            await self._welcome(socket)
        elif number == 3:
            await self._open(socket, message)
        elif number == 5:
            await self._subscribed()
        elif number == 7:
            self._stream()
        elif number == 13:
            self.alive.append(message["timestamp"])
        elif number == 28:
            self.watching = message["user_id"] if message["subscribe"] else None
            await self.tell(msg_type=29, user_id=message["user_id"], status_code=0, reason="OK")

    async def _welcome(self, socket: ServerConnection) -> None:
        code = self.behaviour.signalling.pop(0) if self.behaviour.signalling else 0
        if code:
            await socket.send(json.dumps({"msg_type": 2, "status_code": code, "reason": "no"}))
            return
        self.signalling = socket
        urls = self.behaviour.urls(self.url.replace("signalling", "media"))
        await self.tell(msg_type=2, protocol_version=1, status_code=0, media_server={"server_urls": urls})

    async def _open(self, socket: ServerConnection, message: JsonObject) -> None:
        kind = {1: "audio", 2: "video"}[message["media_type"]]
        assert set(message["media_params"]) == {kind}
        code = self.behaviour.media_status.get(kind, 0)
        params = {**message["media_params"][kind], **getattr(self.behaviour, kind)}
        if code == 0:
            self.media[kind] = socket
        reply = {"msg_type": 4, "status_code": code, "media_params": {kind: params}}
        await socket.send(json.dumps(reply))

    async def _subscribed(self) -> None:
        if not self.behaviour.sound_before_join:
            await self.join(*self.people)

    async def join(self, *people: Person) -> None:
        """Say that people have joined, and whose camera is on."""
        await self.event(3, participants=[{"user_id": str(one.user), "user_name": one.name} for one in people])
        if self.behaviour.announces_cameras:
            on = [one.user for one in people if one.user not in self.behaviour.cameras_off]
            off = [one.user for one in people if one.user in self.behaviour.cameras_off]
            for number, users in ((8, on), (9, off)):
                if users:
                    await self.event(number, participants=[{"user_id": user} for user in users])

    def _stream(self) -> None:
        self.began = time.monotonic()
        for make in (self._send_sound, self._send_pictures, self._keep_alive):
            task = asyncio.create_task(make())
            self._streaming.add(task)
            task.add_done_callback(self._note)

    def _note(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, ConnectionClosed):
            self.faults.append(repr(error))

    async def _send_sound(self) -> None:
        is_opus = self.asked(3)[0]["media_params"]["audio"]["codec"] == 4
        for n in range(1 << 30):
            at = n * 0.02
            await self._until(at)
            if "audio" not in self.media:
                return
            for one in self.people:
                if one.user in self.muted:
                    continue
                piece = n % int(one.period / 0.02)
                data = one.opus[piece % len(one.opus)] if is_opus else one.sound[640 * piece : 640 * piece + 640]
                await self._media(self.media["audio"], 14, one, at, data)
            if n == 25 and self.behaviour.sound_before_join:
                await self.join(*self.people)

    async def _send_pictures(self) -> None:
        longest = {one.user: list(one.pictures) for one in self.people}
        fps = len(self.people[0].pictures) / self.people[0].period
        for n in range(1 << 30):
            await self._until(n / fps)
            if "video" not in self.media:
                return
            for one in self.people:
                if one.user == self.watching and one.user not in self.behaviour.cameras_off:
                    pictures = longest[one.user]
                    await self._media(self.media["video"], 15, one, n / fps, pictures[n % len(pictures)][1])

    async def _keep_alive(self) -> None:
        for text in self.behaviour.noise:
            assert self.signalling is not None
            await self.signalling.send(text)
        if self.behaviour.asks_alive:
            for n, socket in enumerate([self.signalling, *self.media.values()]):
                assert socket is not None
                await socket.send(json.dumps({"msg_type": 12, "timestamp": 1_727_384_349_123 + n}))

    async def _media(self, socket: ServerConnection, number: int, one: Person, at: float, data: bytes) -> None:
        about = {"user_id": one.user, "user_name": one.name, "timestamp": round((self._epoch + self.began + at) * 1000)}
        text = base64.b64encode(data).decode()
        # Zoom's documents put everything into `content`; another text of Zoom's has only the data there.
        flat = {"content": text, **about}
        message = flat if self.behaviour.is_flat else {"content": {**about, "data": text, "length": len(data)}}
        await socket.send(json.dumps({"msg_type": number, **message}))

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, self.began + at - time.monotonic()))


@asynccontextmanager
async def zoom(folder: Path, *people: Person, behaviour: Behaviour | None = None) -> AsyncIterator[Zoom]:
    made = Zoom(list(people), issue(folder, HOST), behaviour or Behaviour())
    await made.start()
    try:
        yield made
    finally:
        await made.kill()


def signed(body: bytes, secret: str = WEBHOOK_SECRET, at: float | None = None) -> dict[str, str]:
    """The headers of a webhook."""
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    return {"x-zm-request-timestamp": stamp, "x-zm-signature": f"v0={digest}", "Content-Type": "application/json"}


def started(url: str, event: str = "meeting.rtms_started", nested: bool = False) -> JsonObject:
    name = {"meeting": "meeting_uuid", "webinar": "webinar_uuid", "session": "session_id"}[event.partition(".")[0]]
    about = {name: MEETING, "rtms_stream_id": STREAM, "server_urls": url}
    return {"event": event, "event_ts": 1, "payload": {"object": about} if nested else about}


def stopped(reason: int) -> JsonObject:
    return {"event": "meeting.rtms_stopped", "payload": {"rtms_stream_id": STREAM, "stop_reason": reason}}


async def post(port: int, message: JsonObject, path: str = "/zoom/webhook", **how: Any) -> httpx.Response:
    """Send a webhook as Zoom does."""
    body = json.dumps(message, separators=(", ", " : ")).encode()
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(f"http://127.0.0.1:{port}{path}", content=body, headers=signed(body, **how))
