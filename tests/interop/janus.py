"""Janus (Debian package `janus`) as an SFU: the server, and as much of its API as publishing and subscribing take."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.interop.check import stopped
from tests.interop.installed import program
from tests.interop.sidecar import free_port

PLUGINS = Path("/usr/lib/x86_64-linux-gnu/janus")
VIDEOROOM = "janus.plugin.videoroom"
TEXTROOM = "janus.plugin.textroom"
STREAMING = "janus.plugin.streaming"
ROOM = 1234
PATIENCE_SECONDS = 20.0
# Janus ends a session that it has heard nothing of for a minute.
KEEP_ALIVE_SECONDS = 20.0

JsonObject = dict[str, Any]
_running: dict[int, asyncio.subprocess.Process] = {}


@contextlib.asynccontextmanager
async def janus(folder: Path, port: int | None = None) -> AsyncIterator[str]:
    """Start a Janus with video rooms, text rooms, streaming and the WebSocket transport; gives its address."""
    port = port or free_port()
    unused = {
        kind: ",".join(path.name for path in (PLUGINS / kind).glob("*.so") if path.stem not in wanted)
        for kind, wanted in (
            ("plugins", ("libjanus_videoroom", "libjanus_textroom", "libjanus_streaming")),
            ("transports", ("libjanus_websockets",)),
        )
    }
    (folder / "janus.jcfg").write_text(f"""
general: {{
  configs_folder = "{folder}"
  plugins_folder = "{PLUGINS}/plugins"
  transports_folder = "{PLUGINS}/transports"
  events_folder = "{folder}"
  loggers_folder = "{folder}"
  debug_level = 4
}}
plugins: {{ disable = "{unused["plugins"]}" }}
transports: {{ disable = "{unused["transports"]}" }}
""")
    (folder / "janus.transport.websockets.jcfg").write_text(
        f'general: {{ ws = true, ws_port = {port}, ws_ip = "127.0.0.1" }}\n'
    )
    executable = program("janus")
    assert executable is not None
    log = (folder / "janus.log").open("wb")
    with log:
        process = await asyncio.create_subprocess_exec(
            executable, "-F", str(folder), "-C", str(folder / "janus.jcfg"), stdout=log, stderr=log
        )
        _running[port] = process
        async with stopped(process):
            await _listening(port)
            yield f"ws://127.0.0.1:{port}"


def kill(port: int) -> None:
    """Kill the Janus of a port, so that it says nothing to anybody."""
    _running[port].kill()


async def _listening(port: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)


class Session:
    """A session with Janus; every request waits for its answer."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._id = 0
        self._seen: set[tuple[str, int]] = set()

    async def request(self, janus: str, **fields: Any) -> JsonObject:
        """Send a request and wait for what is more than an acknowledgement."""
        transaction = secrets.token_hex(4)
        session = {"session_id": self._id} if self._id else {}
        await self._socket.send(json.dumps({"janus": janus, "transaction": transaction, **session, **fields}))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                answer = await self._receive()
                if answer.get("transaction") == transaction and answer["janus"] != "ack":
                    assert answer["janus"] != "error", answer
                    assert "error" not in answer.get("plugindata", {}).get("data", {}), answer
                    return answer

    async def until(self, event: str, handle: int) -> None:
        """Wait until Janus has told something of a handle, such as `webrtcup`."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (event, handle) not in self._seen:
                await self._receive()

    async def keep_alive(self) -> None:
        """Be there, until cancelled."""
        while True:
            await asyncio.sleep(KEEP_ALIVE_SECONDS)
            transaction = secrets.token_hex(4)
            alive = {"janus": "keepalive", "session_id": self._id, "transaction": transaction}
            await self._socket.send(json.dumps(alive))

    async def _receive(self) -> JsonObject:
        answer: JsonObject = json.loads(await self._socket.recv())
        self._seen.add((answer["janus"], answer.get("sender", 0)))
        return answer

    async def create(self) -> None:
        """Begin."""
        self._id = (await self.request("create"))["data"]["id"]

    async def attach(self, plugin: str = VIDEOROOM) -> int:
        """Attach a handle to the video room, or to another plug-in."""
        handle: int = (await self.request("attach", plugin=plugin))["data"]["id"]
        return handle

    async def message(self, handle: int, request: str, jsep: JsonObject | None = None, **body: Any) -> JsonObject:
        """Ask the video room for something."""
        extra = {"jsep": jsep} if jsep else {}
        return await self.request("message", handle_id=handle, body={"request": request, **body}, **extra)


@contextlib.asynccontextmanager
async def session(address: str) -> AsyncIterator[Session]:
    """A session in a room of its own."""
    async with connect(address, subprotocols=["janus-protocol"], proxy=None) as socket:  # type: ignore[list-item]
        made = Session(socket)
        await made.create()
        alive = asyncio.create_task(made.keep_alive())
        try:
            yield made
        finally:
            alive.cancel()
            # It has ended by itself where Janus was killed.
            await asyncio.gather(alive, return_exceptions=True)


async def publish(one: Session, offer: str) -> tuple[int, int, str]:
    """Make the room and publish in it; gives the handle, the publisher's number and the answer."""
    handle = await one.attach()
    await one.message(handle, "create", room=ROOM, publishers=2, audiocodec="opus", videocodec="vp8")
    joined = await one.message(handle, "join", ptype="publisher", room=ROOM, display="speaker")
    feed = joined["plugindata"]["data"]["id"]
    answer = await one.message(handle, "publish", jsep={"type": "offer", "sdp": offer})
    return handle, feed, answer["jsep"]["sdp"]


async def subscribe(one: Session, feed: int) -> tuple[int, str]:
    """Ask for somebody's media; gives the handle and Janus' offer."""
    handle = await one.attach()
    attached = await one.message(handle, "join", ptype="subscriber", room=ROOM, streams=[{"feed": feed}])
    return handle, attached["jsep"]["sdp"]


async def start(one: Session, handle: int, answer: str) -> None:
    """Answer the offer."""
    await one.message(handle, "start", jsep={"type": "answer", "sdp": answer})
