"""Janus' `rtp_forward`: a publisher's packets come here as plain RTP, to ports of ours, in place of a subscription."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import IPv4Address, IPv6Address

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from monitor.tap.kit import PlainPeer, TapConfig
from plugins.base import Unavailable
from plugins.janus_link import JsonObject, Link
from plugins.protocols import janus

# Even, so that RTCP has the next one; below those that systems give out by themselves in most cases.
FIRST_PORT, LAST_PORT = 20_000, 29_998
ATTEMPTS = 16
STOP_SECONDS = 1.0

# What the VideoRoom answers where a secret or a key is wrong or missing.
NEEDS_SECRET = (429, 433)


class ForwardOptions(BaseModel):
    """Where Janus is told to send to: an address of this machine, as Janus reaches it. RTP is not encrypted on the way.

    `listen` is what is listened on, the same address where it is left out. `admin_key` is that of the VideoRoom plug-in
    where it has `lock_rtp_forward`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: IPv4Address | IPv6Address
    listen: IPv4Address | IPv6Address | None = None
    first_port: int = Field(default=FIRST_PORT, ge=1024, le=65_000)
    last_port: int = Field(default=LAST_PORT, ge=1024, le=65_534)
    admin_key: SecretStr | None = None

    @property
    def ports(self) -> range:
        """Those that packets may come to; RTCP comes to the next of each."""
        return range(self.first_port + self.first_port % 2, self.last_port + 1, 2)

    @model_validator(mode="after")
    def _two_at_least(self) -> ForwardOptions:
        if len(self.ports) < 2:
            raise ValueError("first_port to last_port must hold two even numbers at least")
        return self


@asynccontextmanager
async def forwarded(
    link: Link, options: ForwardOptions, room: JsonObject, person: janus.Publisher, tap: TapConfig
) -> AsyncIterator[PlainPeer]:
    """Have a publisher's packets sent here until the context ends; raises `Unavailable` or `RefusedError`.

    `room` says which room, and with which secret. Janus passes no sender reports on, so capture times are guessed from
    arrival, and say so.
    """
    peer, ports = await _listening(options, person, tap)
    base = {**room, "publisher_id": person.feed}
    if options.admin_key is not None:
        base["admin_key"] = options.admin_key.get_secret_value()
    handle, told = await link.attach(lambda _message: None), list[janus.Forwarder]()
    try:
        where = {"host": str(options.to), "host_family": f"ipv{options.to.version}"}
        streams = janus.forwarding(person, ports)
        answer = await link.message(handle, {**base, **where, "request": "rtp_forward", "streams": streams})
        told = janus.forwarders(answer.data)
        for one in told:
            # Key frames are asked for there.
            if one.kind is not None and one.rtcp_port:
                peer.report_to(one.kind, one.rtcp_port)
        yield peer
    except janus.RefusedError as refusal:
        if refusal.code not in NEEDS_SECRET:
            raise
        raise Unavailable(
            "Janus refuses to forward: set room_secret, and forward.admin_key where the plug-in has lock_rtp_forward"
        ) from None
    finally:
        await peer.close()
        # Forwarding outlives connections. Every stop is sent before any answer is waited for, since it may be the
        # connection's end that ends this; a handle that is let go too soon takes along what was asked by it.
        with suppress(Unavailable, TimeoutError, janus.RefusedError):
            for one in told:
                stop = {**base, "request": "stop_rtp_forward", "stream_id": one.stream}
                await link.tell("message", handle_id=handle, body=stop)
            async with asyncio.timeout(STOP_SECONDS):
                await link.message(handle, {**room, "request": "exists"})
            await link.detach(handle)


async def _listening(
    options: ForwardOptions, person: janus.Publisher, tap: TapConfig
) -> tuple[PlainPeer, dict[janus.Kind, int]]:
    """Listen on ports that are free; raises `Unavailable`."""
    host, failed = str(options.listen or options.to), ""
    for _ in range(ATTEMPTS):
        audio, video = random.sample(options.ports, 2)
        ports: dict[janus.Kind, int] = {"audio": audio, "video": video}
        if not janus.forwarding(person, ports):
            raise Unavailable("Janus does not say what they send, which rtp_forward needs: leave forward out")
        try:
            return await PlainPeer.listen(janus.session(person, ports), host, tap), ports
        except OSError as error:
            failed = str(error.strerror)
    raise Unavailable(f"no ports can be listened on ({failed}): correct listen, first_port and last_port of forward")
