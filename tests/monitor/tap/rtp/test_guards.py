"""What a stranger can send: tables stay small, and only candidates of the far end get beyond STUN."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aioice import stun
from aioice.candidate import Candidate
from aioice.ice import Connection, StunProtocol
from aiortc import RTCPeerConnection
from aiortc.rtp import RtcpRrPacket, RtpPacket
from pylibsrtp import Error, Policy, Session

from monitor.tap.rtp.guards import (
    MAX_QUEUED_DATAGRAMS,
    MAX_REMOTE_CANDIDATES,
    PAUSED_PACKET_STRIDE,
    CappedRouter,
    CappedSession,
    SourceFilter,
    is_stun,
)
from monitor.tap.rtp.install import _count_unknown_payload
from tests.monitor.tap.rtp.receiving import PAYLOAD, feed, make, rtp


async def test_a_spray_of_ssrcs_leaves_small_tables(pc: RTCPeerConnection) -> None:
    receiver, _ = await make(pc)
    router = CappedRouter(8)
    router.register_receiver(receiver, [1], [PAYLOAD or 0], "0")
    for n in range(100_000):
        packet = RtpPacket(payload_type=PAYLOAD or 0, sequence_number=1, timestamp=1, ssrc=1000 + n)
        assert router.route_rtp(packet) is receiver
        if n % 50 == 0:
            await receiver._handle_rtp_packet(packet, 0)
    assert len(router.ssrc_table) <= 9
    assert 1 in router.ssrc_table
    assert len(receiver.ssrcs) <= 8
    assert len(receiver._selector.others) <= 8


async def test_packets_of_a_codec_that_was_not_agreed_on_are_counted(pc: RTCPeerConnection) -> None:
    receiver, decode = await make(pc)
    router = CappedRouter(8, _count_unknown_payload)
    router.register_receiver(receiver, [1], [PAYLOAD or 0], "0")
    assert router.route_rtp(rtp(0, payload=50)) is None
    assert router.route_rtp(rtp(0, payload=50, ssrc=5)) is None
    await feed(receiver, rtp(0, payload=50))
    assert receiver.stats.unknown_payload == 2
    assert receiver.unknown_at == receiver.heard_at > 0
    assert decode.given == []


async def test_srtp_streams_are_capped() -> None:
    key = bytes(range(30))
    sender = Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_OUTBOUND))
    session = CappedSession(Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_INBOUND)), 16)
    for ssrc in range(1, 400):
        assert session.unprotect(sender.protect(rtp(1, ssrc=ssrc).serialize())) is not None
    report = RtcpRrPacket(ssrc=5000, reports=[])
    assert session.unprotect_rtcp(sender.protect_rtcp(bytes(report))) == bytes(report)
    assert len(session.streams.entries) == 16


class Local(StunProtocol):
    """A local candidate without a socket."""

    def __init__(self, connection: Connection, received: list[Any]) -> None:
        super().__init__(connection)
        self.local_candidate = candidate("192.0.2.1")
        self._received = received

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        self._received.append((data, addr))


def candidate(host: str) -> Candidate:
    return Candidate("1", 1, "udp", 1, host, 5000, "host")


BINDING = bytes.fromhex("000100002112a442") + bytes(12)


async def test_only_candidates_of_the_far_end_may_send_anything_but_stun() -> None:
    connection = Connection(ice_controlling=False)
    received: list[Any] = []
    protocol = Local(connection, received)
    source_filter = SourceFilter(connection)
    source_filter.guard(protocol)
    friend, stranger = ("198.51.100.7", 5000), ("198.51.100.8", 5000)
    protocol.datagram_received(b"\x80media", friend)
    assert (received, source_filter.refused) == ([], 1)
    await connection.add_remote_candidate(candidate("198.51.100.7"))
    protocol.datagram_received(b"\x80media", (*friend, 0, 0))
    protocol.datagram_received(b"\x80media", stranger)
    protocol.datagram_received(b"\x80media", ("198.51.100.7", 5001))
    assert ([data for data, _ in received], source_filter.refused) == ([b"\x80media"], 3)
    protocol.datagram_received(BINDING, stranger)
    assert received[-1] == (BINDING, stranger)
    connection._remote_candidates += [candidate(f"203.0.113.{n}") for n in range(MAX_REMOTE_CANDIDATES)]
    protocol.datagram_received(BINDING, ("203.0.113.3", 5000))
    assert len(received) == 3
    protocol.datagram_received(BINDING, stranger)
    assert len(received) == 3
    for _ in range(MAX_QUEUED_DATAGRAMS):
        connection._queue.put_nowait((b"", 1))
    assert not source_filter.admits(b"\x80media", friend)
    assert source_filter.overflowed == 1


class NoNetwork(asyncio.DatagramTransport):
    """Where answers go."""

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send it nowhere."""


async def test_no_check_of_whoever_it_may_be_breaks_the_loop() -> None:
    """With what aioice makes of it: else each datagram of a stranger is a traceback in the log."""
    connection = Connection(ice_controlling=False)
    connection._early_checks_done = True
    protocol = StunProtocol(connection)
    protocol.transport, protocol.local_candidate = NoNetwork(), candidate("192.0.2.1")
    source_filter = SourceFilter(connection)
    source_filter.guard(protocol)
    garbled = BINDING[:2] + b"\x00\x08" + BINDING[4:20] + b"\x80\x2a\x00\x04abcd"
    protocol.datagram_received(garbled, ("198.51.100.8", 5000))
    await connection.add_remote_candidate(candidate("198.51.100.7"))
    protocol.datagram_received(garbled, ("198.51.100.7", 5000))
    assert source_filter.refused == 2
    check = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    check.attributes["USERNAME"] = f"{connection.local_username}:them"
    check.add_message_integrity(connection.local_password.encode())
    protocol.datagram_received(bytes(check), ("198.51.100.9", 5000))
    assert source_filter.refused == 3


def srtp(sequence: int, kind: int = 96) -> bytes:
    return bytes([0x80, kind]) + sequence.to_bytes(2, "big") + bytes(8)


async def test_a_paused_filter_lets_srtp_keep_count_and_everything_else_through() -> None:
    connection = Connection(ice_controlling=False)
    await connection.add_remote_candidate(candidate("198.51.100.7"))
    source_filter = SourceFilter(connection)
    source_filter.paused = True
    friend = ("198.51.100.7", 5000)
    passed = [n for n in range(65536) if source_filter.admits(srtp(n, 0xE0 if n % 2 else 96), friend)]
    assert passed == list(range(0, 65536, PAUSED_PACKET_STRIDE))
    sender_report, handshake = srtp(1, 200), bytes([22, 254, 253, 0, 1])
    assert all(source_filter.admits(data, friend) for data in (sender_report, handshake, BINDING))
    source_filter.paused = False
    assert source_filter.admits(srtp(1), friend)
    assert source_filter.refused == 0


def test_srtp_does_not_lose_count_over_a_long_pause() -> None:
    """70,000 packets, 63 of 64 left out: what comes afterwards is decrypted; without the few that pass it is not."""
    key = bytes(30)
    sender = Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_OUTBOUND))
    listener, deaf = (Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_INBOUND)) for _ in range(2))
    for n in range(70_000):
        packet = sender.protect(RtpPacket(sequence_number=n % 65536, timestamp=n, ssrc=1).serialize())
        if n == 0:
            deaf.unprotect(packet)
        if n % PAUSED_PACKET_STRIDE == 0:
            listener.unprotect(packet)
    assert listener.unprotect(packet)
    with pytest.raises(Error):
        deaf.unprotect(packet)


@pytest.mark.parametrize(
    ("data", "stun"),
    [
        *((b"", False), (b"\x00", False), (b"\x16\xfe\xfd", False), (b"\x80", False), (BINDING, True)),
        # ICE-CONTROLLING with four bytes where there are eight.
        (BINDING[:2] + b"\x00\x08" + BINDING[4:20] + b"\x80\x2a\x00\x04abcd", False),
    ],
)
def test_what_is_stun(data: bytes, stun: bool) -> None:
    assert is_stun(data) is stun
