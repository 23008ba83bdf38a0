"""Real publishers that connect otherwise than a browser does: other keys, other addresses, other manners."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from aioice import stun
from aioice.ice import Connection
from aiortc import RTCPeerConnection
from aiortc.rtcdtlstransport import RTCCertificate, SRTPProtectionProfile, generate_certificate
from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL

from monitor.tap.media.config import TapConfig
from tests.monitor.tap.publisher import LOCAL, Call, blocks, call, collect

LOOPBACK = TapConfig(allowed_networks=(ip_network("127.0.0.0/8"), ip_network("::1/128")))


def connection_of(publisher: RTCPeerConnection) -> Connection:
    """The ICE connection of a publisher."""
    return publisher.getSenders()[0].transport.transport._connection


class RsaCertificate(RTCCertificate):
    """A certificate as GStreamer's `webrtcbin` has it: an RSA key, and suites for that alone."""

    @classmethod
    def make(cls) -> RsaCertificate:
        key: Any = rsa.generate_private_key(65537, 2048)
        return cls(key, generate_certificate(key))

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(b"ECDHE-RSA-AES128-GCM-SHA256")
        return context


async def test_a_publisher_with_an_rsa_key_connects() -> None:
    async with call(certificate=RsaCertificate.make(), video=False) as live:
        assert blocks(await collect(live.peer, lambda items: len(blocks(items)) > 5))


async def test_the_answer_has_one_fingerprint_which_is_sha_256() -> None:
    """libdatachannel fails one handshake in four where there are three."""
    async with call() as live:
        prints = [line for line in live.answer.splitlines() if line.startswith("a=fingerprint:")]
    assert [line.split()[0] for line in prints] == ["a=fingerprint:sha-256"] * 2
    assert len(set(prints)) == 1


def fall_silent(publisher: RTCPeerConnection) -> None:
    """Answer no ICE check any more."""
    vars(connection_of(publisher))["request_received"] = lambda message, addr, protocol: None


async def test_a_publisher_that_answers_no_consent_check_stays_for_as_long_as_it_sends() -> None:
    """FFmpeg's `-f whip` answers none; here for three times as long as consent lasts without an answer."""
    async with call(config=replace(LOCAL, consent_seconds=0.5), video=False) as live:
        await collect(live.peer, lambda items: len(blocks(items)) > 5)
        fall_silent(live.publisher)
        items = await collect(live.peer, lambda items: len(blocks(items)) > 75)
        assert blocks(items)
        assert live.peer.connected
        await stop_sending(live)
        await asyncio.wait_for(live.peer.closed.wait(), 10)
        assert [consent.expired for consent in live.peer._consents] == [True]


async def test_answers_alone_keep_the_consent_of_one_who_sends_nothing() -> None:
    """Three more checks are answered within twice the time that consent would last without them."""
    async with call(config=replace(LOCAL, consent_seconds=0.5), video=False) as live:
        await collect(live.peer, lambda items: len(blocks(items)) > 5)
        await stop_sending(live)
        answered, enough = 0, asyncio.Event()
        connection = connection_of(live.publisher)
        respond = connection.request_received

        def counted(*message: Any) -> None:
            nonlocal answered
            respond(*message)
            answered += 1
            if answered >= 15:
                enough.set()

        vars(connection)["request_received"] = counted
        await asyncio.wait_for(enough.wait(), 10)
        assert live.peer.connected


async def stop_sending(live: Call) -> None:
    """Let nothing of the publisher's RTP and RTCP out any more."""

    async def nothing(data: bytes) -> None:
        pass

    transport = live.publisher.getSenders()[0].transport
    transport._send_rtp = nothing  # type: ignore[method-assign]


@pytest.fixture
def both_families(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ends have an IPv4 and an IPv6 address, the two of the loopback interface."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1", "::1"])


def send_by(family: str, answers_checks: bool) -> Callable[[RTCPeerConnection], None]:
    """Have a publisher send everything by one of its addresses, as the controlling side may choose to."""

    def prepare(publisher: RTCPeerConnection) -> None:
        transport = publisher.getSenders()[0].transport.transport
        connection = transport._connection
        protocol = next(p for p in connection._protocols if p.local_candidate.host == family)

        async def send(data: bytes) -> None:
            remote = next(c for c in connection._remote_candidates if c.host == family)
            await protocol.send_data(data, (remote.host, remote.port))

        transport._send = send
        if not answers_checks:
            respond = protocol.send_stun

            def ask_only(message: stun.Message, addr: tuple[str, int]) -> None:
                if message.message_class is stun.Class.REQUEST:
                    respond(message, addr)

            vars(protocol)["send_stun"] = ask_only

    return prepare


@pytest.mark.usefixtures("both_families")
@pytest.mark.parametrize("family", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("answers_checks", [True, False])
async def test_whichever_pair_the_publisher_chooses_is_listened_to(family: str, answers_checks: bool) -> None:
    """Also one that this side has not validated: without an answer to our check it stays in progress for good."""
    async with call(config=LOOPBACK, video=False, prepare=send_by(family, answers_checks)) as live:
        assert blocks(await collect(live.peer, lambda items: len(blocks(items)) > 5))
        assert live.peer.stats().refused_datagrams == 0


async def test_a_stranger_reaches_nothing_but_stun() -> None:
    """Fails where the filter is not installed: what comes from no candidate never reaches the ICE connection."""
    async with call(video=False) as live:
        await collect(live.peer, lambda items: len(blocks(items)) > 5)
        connection = live.peer._pc.getReceivers()[0].transport.transport._connection
        received, receive = [], connection.data_received

        def noted(data: bytes, component: int) -> None:
            received.append(data)
            receive(data, component)

        vars(connection)["data_received"] = noted
        local = connection.local_candidates[0]
        strange = [bytes([first]) + b"from nowhere" for first in (22, 128)]
        await asyncio.to_thread(send_and_wait, local.host, local.port, strange)
        assert live.peer.stats().refused_datagrams == len(strange)
        assert not any(b"from nowhere" in data for data in received)
        assert live.peer.connected


def send_and_wait(host: str, port: int, datagrams: list[bytes]) -> None:
    """Send from a new socket, then ask by STUN and wait for the answer: all that was sent has been looked at then."""
    request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.settimeout(10)
        for data in [*datagrams, bytes(request)]:
            stranger.sendto(data, (host, port))
        assert stun.parse_message(stranger.recv(2048)).message_class is stun.Class.ERROR
