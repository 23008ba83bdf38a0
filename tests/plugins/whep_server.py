"""A WHEP server written from the draft, with aiortc: it plays flashes and beeps, and misbehaves as it is told to."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcconfiguration import RTCBundlePolicy
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.api.server import listen
from tests.monitor.tap.publisher import Beeps, Flashes

SDP = "application/sdp"
SIZE = (160, 120)


@dataclass
class WhepServer:
    """`script` says what becomes of each POST in turn; what follows it is played."""

    script: list[str] = field(default_factory=list)
    kinds: tuple[str, ...] = ("audio", "video")
    sessions: dict[str, RTCPeerConnection] = field(default_factory=dict)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    url: str = ""
    peer: Callable[[], RTCPeerConnection] | None = None

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/whep", self.post, methods=["POST"]),
                Route("/moved", self.post, methods=["POST"]),
                Route("/session/{name}", self.session, methods=["PATCH", "DELETE"]),
            ]
        )

    async def post(self, request: Request) -> Response:
        self.asked.append(("POST", request.url.path, request.headers.get("authorization")))
        assert request.headers["content-type"] == SDP
        offer = (await request.body()).decode()
        assert offer.count("a=recvonly") == 2
        assert "a=sendrecv" not in offer
        turn = self.script.pop(0) if self.script else "play"
        status, _, value = turn.partition(" ")
        match status:
            case "play":
                return await self._answer(offer, value)
            case "offer":
                return await self._offer()
            case "409" | "429":
                return Response(status_code=int(status), headers={"Retry-After": value} if value else {})
            case "302" | "307":
                return Response(status_code=int(status), headers={"Location": value})
            case "garbage":
                return Response("v=0\r\nm=audio", 201, {"Location": "/session/none"}, SDP)
            case "flood":
                return Response("v=0\r\n" + 40_000 * "a", 201, {"Location": "/session/none"}, SDP)
        return Response(status_code=int(status))

    async def session(self, request: Request) -> Response:
        name = request.path_params["name"]
        self.asked.append((request.method, request.url.path, request.headers.get("authorization")))
        peer = self.sessions.get(name)
        if peer is None:
            return Response(status_code=404)
        if request.method == "DELETE":
            del self.sessions[name]
            await peer.close()
            return Response(status_code=200)
        answer = (await request.body()).decode()
        assert answer.count("a=recvonly") == 2
        await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        return Response(status_code=204)

    async def stop_playing(self) -> None:
        """End as a server does whose publisher has left."""
        for name in list(self.sessions):
            await self.sessions.pop(name).close()

    async def kill(self) -> None:
        """Break off with everybody at once, without a word."""
        for peer in self.sessions.values():
            for transceiver in peer.getTransceivers():
                await transceiver.sender.transport.transport.stop()

    def _peer(self) -> tuple[str, RTCPeerConnection]:
        if self.peer is not None:
            self.sessions[str(len(self.asked))] = made = self.peer()
            return str(len(self.asked)), made
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        start = time.monotonic() + 0.1
        if "audio" in self.kinds:
            peer.addTrack(Beeps(start))
        else:
            # In the order of the offer: aiortc stops the transport of a bundle that it finds in another one.
            peer.addTransceiver("audio", "inactive")
        if "video" in self.kinds:
            peer.addTrack(Flashes(start, size=SIZE))
        name = str(len(self.asked))
        self.sessions[name] = peer
        return name, peer

    async def _answer(self, offer: str, change: str) -> Response:
        name, peer = self._peer()
        await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        text = peer.localDescription.sdp
        if change == "unreachable":
            # Whoever it is, they do not know the password that their checks would need.
            text = re.sub(r"a=ice-pwd:\S+", "a=ice-pwd:" + 24 * "x", text)
            text = re.sub(r"a=candidate:.*\r\n", "", text)
        return Response(text, 201, {"Location": f"/session/{name}", "ETag": '"1"'}, SDP)

    async def _offer(self) -> Response:
        name, peer = self._peer()
        for transceiver in peer.getTransceivers():
            transceiver.direction = "sendonly"
        await peer.setLocalDescription(await peer.createOffer())
        headers = {"Location": f"/session/{name}"}
        return Response(peer.localDescription.sdp, 406, headers, f"{SDP}; valid-until=30")


@asynccontextmanager
async def whep_server(
    *script: str,
    kinds: tuple[str, ...] = ("audio", "video"),
    port: int = 0,
    peer: Callable[[], RTCPeerConnection] | None = None,
) -> AsyncIterator[WhepServer]:
    """Serve on loopback until the context ends."""
    made = WhepServer(list(script), kinds, peer=peer)
    listener = listen("127.0.0.1", port)
    made.url = f"http://127.0.0.1:{listener.getsockname()[1]}/whep"
    config = uvicorn.Config(made.app(), log_config=None, lifespan="off", timeout_graceful_shutdown=1, ws="none")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield made
    finally:
        # First it answers nobody: who is told that it plays no more would ask again, and be played to.
        server.should_exit = True
        await serving
        listener.close()
        await made.stop_playing()
