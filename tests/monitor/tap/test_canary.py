"""Sockets where nothing may come: an offer whose candidates point there is answered by the real stack."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from aioice.ice import StunProtocol
from aiortc import RTCConfiguration, RTCPeerConnection

from monitor.tap.media.config import TapConfig, local_addresses
from monitor.tap.webrtc import WebRtcPeer

# The one candidate that is allowed; all others rank before it, so that they would have been tried when it is.
ALLOWED = "127.0.0.2"
METADATA = ("169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "::ffff:a9fe:a9fe")
INNER = ("10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.1.1", "fe80::1", "fd12::1", "224.0.0.251", "::ffff:7f00:1")
PATIENCE_SECONDS = 10.0
CHECKS = 3


class Canary(asyncio.DatagramProtocol):
    """A socket that counts what comes; `enough` is set after a few datagrams, so that repetitions had their time."""

    def __init__(self) -> None:
        self.received = 0
        self.enough = asyncio.Event()

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self.received += 1
        if self.received >= CHECKS:
            self.enough.set()


@dataclass
class Sent:
    """Where the stack sent to, and the names that it asked for."""

    hosts: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What leaves by the sockets of the stack, which stand on this machine's own and its loopback addresses."""
    seen, send_stun, send_data = Sent(), StunProtocol.send_stun, StunProtocol.send_data

    def stun(self: StunProtocol, message: Any, addr: tuple[str, int]) -> None:
        seen.hosts.append(addr[0])
        send_stun(self, message, addr)

    async def data(self: StunProtocol, data: bytes, addr: tuple[str, int]) -> None:
        seen.hosts.append(addr[0])
        await send_data(self, data, addr)

    async def resolve(*_: object) -> None:
        seen.names.append("asked")
        raise OSError("names are not asked for")

    monkeypatch.setattr(StunProtocol, "send_stun", stun)
    monkeypatch.setattr(StunProtocol, "send_data", data)
    monkeypatch.setattr("aioice.ice.get_or_create_mdns_protocol", resolve)
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: here())
    return seen


def here() -> list[str]:
    """Addresses of this machine on which a socket can be bound."""
    found = ["127.0.0.1", "::1", *(str(network.network_address) for network in local_addresses())]
    return [host for host in found if not ip_address(host).is_link_local and can_bind(host)]


def can_bind(host: str) -> bool:
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True


@asynccontextmanager
async def canaries(hosts: Iterable[str]) -> AsyncIterator[list[tuple[Canary, str, int]]]:
    """A canary on each of these hosts, with its port."""
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        made = []
        for host in hosts:
            transport, canary = await loop.create_datagram_endpoint(Canary, (host, 0))
            stack.callback(transport.close)
            made.append((canary, host, transport.get_extra_info("sockname")[1]))
        yield made


def line(host: str, port: int, priority: int) -> str:
    return f"a=candidate:1 1 udp {priority} {host} {port} typ host"


async def offered(candidates: Iterable[str]) -> str:
    """A browser's offer of sound with these candidates in place of its own."""
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    pc.addTransceiver("audio", "sendrecv")
    await pc.setLocalDescription(await pc.createOffer())
    lines = [text for text in pc.localDescription.sdp.splitlines() if not text.startswith("a=candidate:")]
    await pc.close()
    return "\r\n".join([*lines, *candidates, ""])


@pytest.mark.parametrize("trickled", [False, True])
async def test_nothing_is_sent_to_where_nothing_may_be_sent(sent: Sent, trickled: bool) -> None:
    """Denied: everything here but one address, inner networks, metadata services, and names that would be asked for."""
    config = TapConfig(allowed_networks=(ip_network(ALLOWED),))
    async with canaries([*here(), ALLOWED]) as made:
        *denied, (sentinel, _, port) = made
        lines = [line(host, port, 9000 + n) for n, (_, host, port) in enumerate(denied)]
        lines += [line(host, 50000, 8000 + n) for n, host in enumerate((*METADATA, *INNER))]
        lines += [line("5c1c5bd4-9a0e-4f9f-8b0d-1a4a3b5c7d9e.local", 50001, 7000), line("localhost", port, 7001)]
        lines.append(line(ALLOWED, port, 1))
        peer, _ = await WebRtcPeer.answer(await offered([] if trickled else lines), config)
        try:
            if trickled:
                await peer.add_candidates("\r\n".join([*lines, ""]))
            await asyncio.wait_for(sentinel.enough.wait(), PATIENCE_SECONDS)
        finally:
            await peer.close()
        assert [(host, canary.received) for canary, host, _ in denied if canary.received] == []
    assert set(sent.hosts) == {ALLOWED}
    assert sent.names == []


async def test_a_canary_hears_what_is_allowed(sent: Sent) -> None:
    """Else the silence of the others would show nothing; metadata stay out also where everything is allowed."""
    config = TapConfig(allowed_networks=(ip_network("0.0.0.0/0"), ip_network("::/0")))
    async with canaries(["127.0.0.1", ALLOWED]) as made:
        lines = [line(host, 50000, 9000 + n) for n, host in enumerate(METADATA)]
        lines += [line(host, port, 10 - n) for n, (_, host, port) in enumerate(made)]
        peer, _ = await WebRtcPeer.answer(await offered(lines), config)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                for canary, _, _ in made:
                    await canary.enough.wait()
        finally:
            await peer.close()
    assert set(sent.hosts) == {"127.0.0.1", ALLOWED}


async def test_an_offer_makes_this_machine_knock_at_eight_places_at_most(sent: Sent) -> None:
    """Twenty in the offer and twenty by trickle."""
    config = TapConfig(allowed_networks=(ip_network("127.0.0.0/8"),))
    async with canaries([f"127.0.0.{n}" for n in range(2, 42)]) as made:
        lines = [line(host, port, 100 - n) for n, (_, host, port) in enumerate(made)]
        peer, _ = await WebRtcPeer.answer(await offered(lines[:20]), config)
        try:
            await peer.add_candidates("\r\n".join([*lines[20:], ""]))
            await asyncio.wait_for(made[config.max_candidates - 1][0].enough.wait(), PATIENCE_SECONDS)
        finally:
            await peer.close()
        assert [host for canary, host, _ in made if canary.received] == [f"127.0.0.{n}" for n in range(2, 10)]
    assert len(set(sent.hosts)) == config.max_candidates
