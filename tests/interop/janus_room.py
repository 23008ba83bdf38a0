"""A room of a real Janus and people who publish in it by aiortc."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcconfiguration import RTCBundlePolicy
from websockets.exceptions import ConnectionClosed

from tests.interop import janus
from tests.interop.aiortc_client import connected
from tests.monitor.tap.publisher import Beeps, Flashes


@dataclass(frozen=True, slots=True)
class Publisher:
    """Somebody who publishes: their session with Janus and the handle that they publish on."""

    session: janus.Session
    handle: int


async def make_room(address: str, **room: Any) -> None:
    async with janus.session(address) as one:
        handle = await one.attach()
        await one.message(handle, "create", room=janus.ROOM, publishers=8, audiocodec="opus", videocodec="vp8", **room)


def flashing() -> RTCPeerConnection:
    """A peer that sends flashes and beeps."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
    start = time.monotonic() + 0.1
    peer.addTrack(Beeps(start))
    peer.addTrack(Flashes(start, size=(160, 120)))
    return peer


@contextlib.asynccontextmanager
async def publishing(
    address: str,
    display: str,
    pin: str | None = None,
    token: str | None = None,
    make: Callable[[], RTCPeerConnection] = flashing,
) -> AsyncIterator[Publisher]:
    """Publish under a name, until the context ends: flashes and beeps, unless a peer of something else is made."""
    peer = make()
    try:
        async with janus.session(address) as one:
            handle = await one.attach()
            secrets = {name: value for name, value in (("pin", pin), ("token", token)) if value}
            who: dict[str, Any] = {"ptype": "publisher", "room": janus.ROOM, "display": display, **secrets}
            await one.message(handle, "join", **who)
            await peer.setLocalDescription(await peer.createOffer())
            offer = {"type": "offer", "sdp": peer.localDescription.sdp}
            answer = await one.message(handle, "publish", jsep=offer)
            await peer.setRemoteDescription(RTCSessionDescription(answer["jsep"]["sdp"], "answer"))
            await connected(peer)
            await one.until("webrtcup", handle)
            yield Publisher(one, handle)
            # Where Janus was killed, or they were put out, there is nobody to say it to.
            with contextlib.suppress(ConnectionClosed, AssertionError):
                await one.message(handle, "leave")
    finally:
        await peer.close()
