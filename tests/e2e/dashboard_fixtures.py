"""A small sidecar that speaks the public API from a script: real Starlette on real uvicorn, real aiortc behind WHIP.

The pages under test cannot tell it from the product; a test decides what is said and when a connection breaks, and
reads back what the pages asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from aiortc import RTCPeerConnection, RTCSessionDescription
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from monitor.api import words
from monitor.api.app import try_page
from monitor.api.guard import CSP
from monitor.face.geometry import canonical
from monitor.face.outline import outline

PAGES = Path(__file__).parents[2] / "monitor" / "api" / "dashboard"
TOKEN = "a-right+token/="
THRESHOLD = 72_000.0
START = datetime.now(UTC) - timedelta(minutes=2)

JsonObject = dict[str, Any]


def at(seconds: float) -> str:
    """RFC 3339 with milliseconds, so many seconds after the script's start."""
    return (START + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def curve(peak: float, best_ms: float = 40.0) -> JsonObject:
    """An offset curve with its best agreement at `best_ms`."""
    offsets = [40.0 * step for step in range(-15, 16)]
    ripple = [0.035 * ((step * 7) % 5 - 2) / 2 for step in range(31)]
    peaks = [(peak - 0.05) * 2.0 ** -(((offset - best_ms) / 60) ** 2) for offset in offsets]
    agreement = [0.05 + wave + height for wave, height in zip(ripple, peaks, strict=True)]
    # As the detector does where the masks leave an offset too little speech.
    measured = [None, None, *(round(value, 3) for value in agreement[2:])]
    return {
        "offsets_ms": offsets,
        "agreement": measured,
        "best_offset_ms": best_ms,
        "agreement_max": round(max(agreement), 3),
        "speech_seconds": 4.2,
    }


def face(turn: float = 0.0) -> list[list[float]]:
    """The outline of the mean face, its far side narrowed by `turn`."""
    points = canonical()[:, :2]
    box = (points - points.min(axis=0)) / (points.max(axis=0) - points.min(axis=0)).max()
    box[:, 0] *= 1.0 - turn * box[:, 0]
    return outline(box)


def pairwise(identity_p: float = 0.4, **more: Any) -> JsonObject:
    """The score of a face comparison."""
    evidence = {
        "shots": 20,
        "identity": {"value": 3.1 if identity_p < 0.1 else 0.2, "p_value": identity_p, "distance": 0.41},
        "artefact": {"value": -0.4, "p_value": 0.7, "logit": -2.0, "pairs": 31.0},
        "within_call": {"value": 1.4, "p_value": 0.05},
        "rung": "as recorded",
        "rung_distance": 0.4,
        "made": "2026-03-04T10:00:00.000Z",
        "worst_pair": {"live": face(0.3), "reference": face(), "age_seconds": 3.2, "distance": 0.52},
    }
    return {"score": 1.0, "p_value": identity_p, "reason": None, "evidence": evidence} | more


def persona(distance_p: float = 0.4, **more: Any) -> JsonObject:
    """The score of how somebody moves: forty moments, the last six of which do not look like the person."""
    timeline = [{"at": 20.0 + n / 2, "value": None if n == 10 else 0.4 if n < 34 else 1.8} for n in range(40)]
    evidence = {
        "distance": {"value": 2.6 if distance_p < 0.1 else 0.3, "p_value": distance_p, "recent": 0.9},
        "companion": {"value": 0.7, "p_value": 0.3, "recent": 0.5},
        "speech_seconds": 3.9,
        "windows": 5,
        "timeline": timeline,
    }
    return {"score": 1.4, "p_value": distance_p, "reason": None, "evidence": evidence} | more


def identity(name: str, state: str = "active", **more: Any) -> JsonObject:
    """An entry of GET /v1/identities."""
    consent = {"by": name, "given": "2026-03-01", "expires": "2028-02-29", "purpose": "calls", "evidence_sha256": None}
    version = {
        "version": 1,
        "state": state,
        "enrolled": "2026-03-04T10:00:00.000Z",
        "enrolled_by": "ops",
        "approved": None,
        "approved_by": None,
        "consent": consent,
        "bytes": 100,
        "tags": [],
        "verify_by": False,
    }
    return {"id": "i", "name": name, "state": state, "version": version, "pending": None, "versions": 1} | more


def state(participant: str, seconds: float, verdict: str, reason: str | None, **more: Any) -> JsonObject:
    """A `state` message."""
    synchrony = {"score": -0.42, "p_value": 0.61, "reason": None, "evidence": curve(0.42)}
    return {
        "type": "state",
        "call": "weekly",
        "participant": participant,
        "time": at(seconds),
        "verdict": verdict,
        "reason": reason,
        "scores": {"synchrony": synchrony},
        "statistic": 3.2,
        "threshold": THRESHOLD,
        "quality": {"face_px": 182.4, "fps": 29.8, "speech_seconds": 4.2, "clock_uncertainty": 0.004},
    } | more


def finding(seq: int, action: str, seconds: float, **more: Any) -> JsonObject:
    """A `finding` message of one episode."""
    return {
        "type": "finding",
        "seq": seq,
        "id": "01J-episode",
        "action": action,
        "call": "weekly",
        "participant": "mallory",
        "identity": "Alice Example",
        "time": at(seconds),
        "verdict": "inconclusive" if action == "closed" else "alert",
        "reason": "silence" if action == "closed" else "lips_disagree_with_voice",
        "scores": {"synchrony": {"score": -0.11, "p_value": 0.002, "reason": None}},
        "evidence": {"synchrony": curve(0.16, 280.0)},
    } | more


# GET /v1/token.
BEARER: JsonObject = {"subject": "startup", "permissions": [], "tenant": "default", "shared": False}


@dataclass
class Sidecar:
    """What the pages see and what they asked for. Waits are on real events, never on time."""

    calls: list[JsonObject] = field(default_factory=list)
    identities: list[JsonObject] = field(default_factory=list)
    findings: list[JsonObject] = field(default_factory=list)
    subscriptions: list[JsonObject] = field(default_factory=list)
    sockets: list[WebSocket] = field(default_factory=list)
    peers: dict[str, RTCPeerConnection] = field(default_factory=dict)
    published: list[tuple[str, str]] = field(default_factory=list)
    claims: list[str | None] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    words: JsonObject = field(default_factory=words.document)
    frames: int = 0
    head: int = 0
    refuse_publish: int | None = None
    refuse_words: bool = False
    try_scores: bool = False
    url: str = ""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something that the pages did makes this true."""
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(holds)

    async def notify(self) -> None:
        """Wake who waits."""
        async with self.changed:
            self.changed.notify_all()

    def list_participant(self, said: JsonObject, identity: str | None) -> None:
        """Put the participant of a state into GET /v1/calls."""
        entry = {name: said[name] for name in said if name not in ("type", "call", "time")}
        participant = entry | {"identity": identity, "since": said["time"]}
        self.calls.append({"call": said["call"], "participants": [participant]})

    async def say(self, *messages: JsonObject) -> None:
        """Send to every subscriber; findings are journalled first."""
        for message in messages:
            if message["type"] == "finding":
                self.findings.append(message)
                self.head = max(self.head, message["seq"])
            for connection in self.sockets:
                await connection.send_json(message)

    async def hang_up(self, code: int) -> None:
        """Close every subscriber's socket with this code."""
        for connection in list(self.sockets):
            self.sockets.remove(connection)
            await connection.close(code)

    async def reset(self) -> None:
        """Forget everything, for the next test."""
        await self.hang_up(1001)
        for peer in self.peers.values():
            await peer.close()
        for log in (self.calls, self.findings, self.subscriptions, self.published, self.deleted):
            log.clear()
        self.identities.clear()
        self.claims.clear()
        self.peers.clear()
        self.words, self.refuse_words = words.document(), False
        self.frames, self.head, self.refuse_publish, self.try_scores = 0, 0, None, False


def authorised(request: Request) -> bool:
    """Whether the bearer token is the right one."""
    return request.headers.get("authorization") == f"Bearer {TOKEN}"


def problem(status: int, detail: str, **headers: str) -> Response:
    """RFC 9457."""
    body = {"type": "about:blank", "status": status, "title": detail, "detail": detail}
    return JSONResponse(body, status, headers=headers, media_type="application/problem+json")


class Handlers:
    """The routes of the public API that the pages use."""

    def __init__(self, sidecar: Sidecar) -> None:
        self.sidecar = sidecar

    async def calls(self, request: Request) -> Response:
        """GET /v1/calls."""
        return JSONResponse({"calls": self.sidecar.calls}) if authorised(request) else problem(401, "wrong token")

    async def identities(self, request: Request) -> Response:
        """GET /v1/identities."""
        policy = {"consent_required": True, "consent_days": 365, "second_approver": False, "max_upload_bytes": 1000}
        enrolled = {"identities": self.sidecar.identities, "policy": policy}
        return JSONResponse(enrolled) if authorised(request) else problem(401, "wrong token")

    async def words(self, request: Request) -> Response:
        """GET /v1/words, which needs no token."""
        return problem(503, "draining") if self.sidecar.refuse_words else JSONResponse(self.sidecar.words)

    async def findings(self, request: Request) -> Response:
        """GET /v1/findings."""
        if not authorised(request):
            return problem(401, "wrong token")
        after = int(request.query_params["after"])
        newer = [finding for finding in self.sidecar.findings if finding["seq"] > after]
        return JSONResponse({"findings": newer, "next": newer[-1]["seq"] if newer else after})

    async def alerts(self, connection: WebSocket) -> None:
        """WebSocket /v1/alerts."""
        await connection.accept(subprotocol="sidewitness.alerts.v1")
        subscription = await connection.receive_json()
        self.sidecar.subscriptions.append(subscription)
        if subscription["token"] == TOKEN:
            await connection.send_json({"type": "hello", "seq": self.sidecar.head})
            if subscription["after"] is not None:
                for message in [f for f in self.sidecar.findings if f["seq"] > subscription["after"]]:
                    await connection.send_json(message)
            self.sidecar.sockets.append(connection)
        else:
            await connection.close(4401)
        await self.sidecar.notify()
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await connection.receive_text()
        if connection in self.sidecar.sockets:
            self.sidecar.sockets.remove(connection)

    async def publish(self, request: Request) -> Response:
        """POST .../whip, answered by aiortc."""
        if not authorised(request):
            return problem(401, "wrong token")
        if self.sidecar.refuse_publish:
            return problem(self.sidecar.refuse_publish, "at capacity", **{"Retry-After": "7"})
        call, participant = request.path_params["call"], request.path_params["participant"]
        peer = RTCPeerConnection()
        peer.on("track", self.count)
        await peer.setRemoteDescription(RTCSessionDescription((await request.body()).decode(), "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        self.sidecar.peers[participant] = peer
        self.sidecar.published.append((call, participant))
        self.sidecar.claims.append(request.query_params.get("identity"))
        await self.sidecar.notify()
        headers = {"Location": f"/v1/sessions/{participant}", "ETag": '"1"'}
        return Response(peer.localDescription.sdp, 201, headers, "application/sdp")

    async def count(self, track: Any) -> None:
        """Count decoded items until the track ends."""
        with contextlib.suppress(Exception):
            while True:
                await track.recv()
                self.sidecar.frames += track.kind == "video"
                await self.sidecar.notify()

    async def delete(self, request: Request) -> Response:
        """DELETE of a WHIP session."""
        name = request.path_params["participant"]
        self.sidecar.deleted.append(name)
        await self.sidecar.peers.pop(name).close()
        await self.sidecar.notify()
        return Response(status_code=200)


class WithPolicy:
    """Puts the product's content-security policy on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the header added."""

        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", CSP.encode())]
            await send(message)

        await self.app(scope, receive, with_policy)


def build(sidecar: Sidecar) -> ASGIApp:
    """The application."""
    handlers = Handlers(sidecar)

    def page(name: str) -> Callable[[Request], FileResponse]:
        return lambda request: FileResponse(PAGES / name)

    whip = "/v1/calls/{call}/participants/{participant}/whip"
    return WithPolicy(
        Starlette(
            routes=[
                Route("/", page("index.html")),
                Route("/try", lambda request: HTMLResponse(try_page(sidecar.try_scores))),
                Mount("/static", StaticFiles(directory=PAGES)),
                Route("/v1/calls", handlers.calls),
                Route("/v1/findings", handlers.findings),
                Route("/v1/identities", handlers.identities),
                Route("/v1/words", handlers.words),
                Route("/v1/token", lambda request: JSONResponse(BEARER)),
                Route("/v1/session", lambda request: JSONResponse({"sign_in": False, "session": None})),
                Route(whip, handlers.publish, methods=["POST"]),
                Route("/v1/sessions/{participant}", handlers.delete, methods=["DELETE"]),
                WebSocketRoute("/v1/alerts", handlers.alerts),
            ]
        )
    )


class QuietServer(uvicorn.Server):
    """uvicorn inside a test's loop: the test runner keeps its signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


@contextlib.asynccontextmanager
async def running_sidecar() -> AsyncIterator[Sidecar]:
    """A sidecar on a free port of 127.0.0.1."""
    sidecar = Sidecar()
    config = uvicorn.Config(
        build(sidecar), log_config=None, log_level="warning", ws="websockets-sansio", lifespan="off"
    )
    server = QuietServer(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sidecar.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield sidecar
        finally:
            await sidecar.reset()
            server.should_exit = True
            await serving
