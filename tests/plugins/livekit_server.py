"""A small LiveKit server for tests, with the protocol's own messages: one room, people who publish by aiortc, its API.

The real SDK and its libwebrtc join it. As a server does it hides who is hidden, makes the subscriber's offer anew
whenever what is subscribed to changes, and sends what it is asked for only. It says what it is told to say besides:
whom it mutes, who leaves, why somebody is disconnected. Nothing of it is secured but by the tokens.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import jwt
from aiohttp import WSMsgType, web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtcconfiguration import RTCBundlePolicy
from aiortc.sdp import candidate_from_sdp
from livekit.protocol import models, room, rtc

API_KEY, API_SECRET = "APItest", "a-secret-of-the-tests-that-is-long-enough"
PING_SECONDS = 5
CAMERA = {"type": models.TrackType.VIDEO, "source": models.TrackSource.CAMERA, "mime_type": "video/VP8"}
MICROPHONE = {"type": models.TrackType.AUDIO, "source": models.TrackSource.MICROPHONE, "mime_type": "audio/opus"}
MakeTrack = Callable[[], MediaStreamTrack]


@dataclass
class Published:
    """A track that somebody publishes: what is said of it, and what makes its media anew for each subscriber."""

    info: models.TrackInfo
    make: MakeTrack


@dataclass
class Person:
    """Somebody in the room."""

    info: models.ParticipantInfo
    tracks: dict[str, Published] = field(default_factory=dict)

    def said(self) -> models.ParticipantInfo:
        """What everybody is told of them."""
        message = models.ParticipantInfo()
        message.CopyFrom(self.info)
        message.tracks.extend(one.info for one in self.tracks.values())
        return message


class Client:
    """One who has joined by the SDK: their socket, and the connection by which they are sent what they ask for."""

    def __init__(self, server: LiveKitServer, socket: web.WebSocketResponse, claims: dict[str, Any]) -> None:
        self.claims, self.server, self.socket = claims, server, socket
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self.sent: dict[str, RTCRtpSender] = {}
        self.wanted: set[str] = set()
        self.settings: list[rtc.UpdateTrackSettings] = []
        self._negotiating = asyncio.Lock()
        self._answered: asyncio.Future[str] | None = None
        self._early: list[rtc.TrickleRequest] = []

    async def say(self, **message: Any) -> None:
        """Send a message of the server."""
        if not self.socket.closed:
            await self.socket.send_bytes(rtc.SignalResponse(**message).SerializeToString())

    async def take(self, request: rtc.SignalRequest) -> None:
        """Do what the client asks for."""
        match request.WhichOneof("message"):
            case "ping_req":
                now = round(time.time() * 1000)
                await self.say(pong_resp=rtc.Pong(last_ping_timestamp=request.ping_req.timestamp, timestamp=now))
            case "subscription":
                sids = {*request.subscription.track_sids}
                sids |= {sid for one in request.subscription.participant_tracks for sid in one.track_sids}
                self.wanted = self.wanted | sids if request.subscription.subscribe else self.wanted - sids
                self.server.start(self.renew())
            case "track_setting":
                self.settings.append(request.track_setting)
            case "answer":
                if self._answered is not None and not self._answered.done():
                    self._answered.set_result(request.answer.sdp)
            case "trickle":
                if request.trickle.target == rtc.SignalTarget.SUBSCRIBER:
                    await self._candidate(request.trickle)
            case "leave":
                await self.socket.close()

    async def renew(self) -> None:
        """Send what is wanted now and nothing else; asks the client to agree."""
        async with self._negotiating:
            published = {sid: (who, one) for who in self.server.people.values() for sid, one in who.tracks.items()}
            wanted = {sid for sid in self.wanted if sid in published}
            if wanted == set(self.sent):
                return
            for sid in set(self.sent) - wanted:
                sender = self.sent.pop(sid)
                transceiver = next(one for one in self.peer.getTransceivers() if one.sender is sender)
                sender.replaceTrack(None)
                transceiver.direction = "inactive"
            for sid in sorted(wanted - set(self.sent)):
                who, one = published[sid]
                transceiver = self.peer.addTransceiver(one.make(), "sendonly")
                if one.info.type == models.TrackType.VIDEO:
                    codecs = RTCRtpSender.getCapabilities("video").codecs
                    names = (one.info.mime_type, "video/rtx")
                    transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType in names])
                # As servers name them: tracks of one participant's camera and microphone are one stream.
                transceiver.sender._stream_id = f"{who.info.sid}|{one.info.stream or sid}"
                transceiver.sender._track_id = sid
                self.sent[sid] = transceiver.sender
            await self._agree()
            for sid in wanted:
                await self.say(track_subscribed=rtc.TrackSubscribed(track_sid=sid))

    async def begin(self) -> None:
        """Open what notes come by; the client has not joined before."""
        async with self._negotiating:
            for label in ("_reliable", "_lossy"):
                self.peer.createDataChannel(label)
            await self._agree()

    async def _agree(self) -> None:
        await self.peer.setLocalDescription(await self.peer.createOffer())
        self._answered = asyncio.get_running_loop().create_future()
        offer = self.peer.localDescription.sdp
        await self.say(offer=rtc.SessionDescription(type="offer", sdp=offer))
        answer = await self._answered
        await self.peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        early, self._early = self._early, []
        for trickle in early:
            await self._candidate(trickle)

    async def _candidate(self, trickle: rtc.TrickleRequest) -> None:
        if self.peer.remoteDescription is None:
            self._early.append(trickle)
            return
        raw = json.loads(trickle.candidateInit)
        if not raw.get("candidate"):
            return
        candidate = candidate_from_sdp(raw["candidate"].removeprefix("candidate:"))
        candidate.sdpMid, candidate.sdpMLineIndex = raw.get("sdpMid"), raw.get("sdpMLineIndex")
        await self.peer.addIceCandidate(candidate)

    async def close(self) -> None:
        await self.peer.close()
        await self.socket.close()


class LiveKitServer:
    """The room and its API. `asked` has what the API was asked for, `refused` the status that it turns away with."""

    def __init__(self, room_name: str = "board") -> None:
        self.room = models.Room(sid="RM_test", name=room_name)
        self.people: dict[str, Person] = {}
        self.clients: list[Client] = []
        self.asked: list[tuple[str, Any]] = []
        self.joins = 0
        self.is_open = True
        self.refused: int | None = None
        self.url = ""
        self._numbers = iter(range(1, 1 << 30))
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # What people do.

    async def join(self, identity: str, name: str = "", **more: Any) -> Person:
        """Somebody comes; `more` are fields of their `ParticipantInfo`."""
        sid = f"PA_{next(self._numbers)}"
        state = models.ParticipantInfo.State.ACTIVE
        who = Person(models.ParticipantInfo(sid=sid, identity=identity, name=name, state=state, **more))
        self.people[identity] = who
        await self.tell(who)
        return who

    async def publish(self, identity: str, make: MakeTrack, **more: Any) -> str:
        """Somebody publishes a track; `more` are fields of its `TrackInfo`. Gives its sid."""
        who = self.people[identity]
        sid = f"TR_{next(self._numbers)}"
        who.tracks[sid] = Published(models.TrackInfo(sid=sid, stream="camera", **more), make)
        await self.tell(who)
        return sid

    async def unpublish(self, identity: str, sid: str) -> None:
        """Somebody publishes a track no more."""
        del self.people[identity].tracks[sid]
        await self.tell(self.people[identity])
        for client in self.clients:
            await client.renew()

    async def mute(self, identity: str, sid: str, muted: bool = True) -> None:
        """Somebody mutes a track, or lets it be heard or seen again."""
        self.people[identity].tracks[sid].info.muted = muted
        await self.tell(self.people[identity])

    async def rename(self, identity: str, name: str) -> None:
        """Somebody changes the name that they show."""
        self.people[identity].info.name = name
        await self.tell(self.people[identity])

    async def leave(self, identity: str) -> None:
        """Somebody leaves."""
        who = self.people.pop(identity)
        who.info.state = models.ParticipantInfo.State.DISCONNECTED
        who.tracks.clear()
        await self.tell(who)
        for client in self.clients:
            await client.renew()

    async def tell(self, who: Person) -> None:
        """Tell everybody how it is with somebody."""
        who.info.version += 1
        for client in list(self.clients):
            await client.say(update=rtc.ParticipantUpdate(participants=[who.said()]))

    async def disconnect(self, reason: int, action: int = rtc.LeaveRequest.Action.DISCONNECT) -> None:
        """Send everybody away who has joined by the SDK, for a reason of `DisconnectReason`."""
        for client in list(self.clients):
            await client.say(leave=rtc.LeaveRequest(reason=reason, action=action))  # type: ignore[arg-type]

    def kill(self) -> None:
        """Break off with everybody at once, without a word."""
        for client in self.clients:
            transport = client.socket._req.transport if client.socket._req is not None else None
            if transport is not None:
                transport.abort()

    # What the SDK and the API ask for.

    async def signal(self, request: web.Request) -> web.StreamResponse:
        """Serve `/rtc`."""
        token = request.query.get("access_token") or request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            claims = jwt.decode(token, API_SECRET, algorithms=["HS256"], issuer=API_KEY)
        except jwt.InvalidTokenError:
            return web.Response(status=401, text="invalid token")
        if self.refused is not None:
            return web.Response(status=self.refused, text="no")
        socket = web.WebSocketResponse(max_msg_size=1 << 20)
        await socket.prepare(request)
        client = Client(self, socket, claims)
        self.clients.append(client)
        self.joins += 1
        try:
            await client.say(join=self._joined(claims))
            self.start(client.begin())
            async for message in socket:
                if message.type is WSMsgType.BINARY:
                    await client.take(rtc.SignalRequest.FromString(message.data))
        finally:
            self.clients.remove(client)
            await client.close()
        return socket

    def _joined(self, claims: dict[str, Any]) -> rtc.JoinResponse:
        video = claims["video"]
        permission = models.ParticipantPermission(can_subscribe=True, hidden=video.get("hidden", False))
        state = models.ParticipantInfo.State.JOINED
        ours = models.ParticipantInfo(sid="PA_us", identity=claims["sub"], state=state, permission=permission)
        return rtc.JoinResponse(
            room=self.room,
            participant=ours,
            other_participants=[who.said() for who in self.people.values()],
            server_version="1.13.5",
            server_info=models.ServerInfo(version="1.13.5", protocol=16),
            subscriber_primary=True,
            ping_timeout=3 * PING_SECONDS,
            ping_interval=PING_SECONDS,
        )

    async def validate(self, request: web.Request) -> web.Response:
        """Serve `/rtc/validate`, which the SDK asks when it could not join."""
        return web.Response(status=self.refused or 200, text="no" if self.refused else "success")

    async def api(self, request: web.Request) -> web.Response:
        """Serve the `RoomService` (Twirp)."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            claims = jwt.decode(token, API_SECRET, algorithms=["HS256"], issuer=API_KEY)
        except jwt.InvalidTokenError:
            return web.json_response({"code": "unauthenticated", "msg": "no"}, status=401)
        method, body = request.match_info["method"], await request.read()
        needed = {"ListRooms": "roomList", "DeleteRoom": "roomCreate"}.get(method, "roomAdmin")
        if not claims.get("video", {}).get(needed):
            return web.json_response({"code": "permission_denied", "msg": "no"}, status=403)
        kinds: dict[str, tuple[Any, Any]] = {
            "ListRooms": (room.ListRoomsRequest, room.ListRoomsResponse),
            "MutePublishedTrack": (room.MuteRoomTrackRequest, room.MuteRoomTrackResponse),
            "RemoveParticipant": (room.RoomParticipantIdentity, room.RemoveParticipantResponse),
            "SendData": (room.SendDataRequest, room.SendDataResponse),
            "DeleteRoom": (room.DeleteRoomRequest, room.DeleteRoomResponse),
        }
        wanted, answer = kinds[method]
        asked: Any = wanted.FromString(body)
        if method != "ListRooms":
            self.asked.append((method, asked))
        if self.refused is not None and method != "ListRooms":
            return web.json_response({"code": "not_found", "msg": "no"}, status=self.refused)
        if method == "ListRooms":
            return web.Response(body=self._listed(asked), content_type="application/protobuf")
        if method == "MutePublishedTrack":
            await self.mute(asked.identity, asked.track_sid, asked.muted)
        elif method == "RemoveParticipant":
            await self.leave(asked.identity)
        elif method == "DeleteRoom":
            await self.disconnect(models.DisconnectReason.ROOM_DELETED)
        return web.Response(body=answer().SerializeToString(), content_type="application/protobuf")

    def _listed(self, asked: Any) -> bytes:
        is_asked_for = self.is_open and (not asked.names or self.room.name in asked.names)
        message = room.ListRoomsResponse(rooms=[self.room] if is_asked_for else [])
        return bytes(message.SerializeToString())


@asynccontextmanager
async def livekit_server(room_name: str = "board", port: int = 0) -> AsyncIterator[LiveKitServer]:
    """Serve a room until the context ends, which is sudden for whoever is in it."""
    server = LiveKitServer(room_name)
    app = web.Application()
    app.router.add_get("/rtc", server.signal)
    app.router.add_get("/rtc/validate", server.validate)
    app.router.add_post("/twirp/livekit.RoomService/{method}", server.api)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    server.url = f"ws://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        server.kill()
        for client in list(server.clients):
            await client.close()
        for task in list(server._tasks):
            task.cancel()
        await runner.cleanup()
