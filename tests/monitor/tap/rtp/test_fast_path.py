"""The short way of a media datagram: decrypted, read and handed over at once, or left to aiortc."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from aiortc.rtp import RtpPacket
from pylibsrtp import Policy, Session

from monitor.tap.rtp.fast_path import FastPath
from monitor.tap.rtp.guards import CappedRouter, CappedSession
from monitor.tap.rtp.packet import Packet

KEY = bytes(range(30))


@dataclass(eq=False)
class Desk:
    """A receiver that keeps what it is given."""

    taken: list[tuple[Packet, float]] = field(default_factory=list)

    def take(self, packet: Packet, now: float) -> None:
        self.taken.append((packet, now))


def test_media_reach_their_receiver_and_nothing_else_does() -> None:
    desk, router = Desk(), CappedRouter(8)
    router.register_receiver(desk, [], [96], "0")
    transport: Any = SimpleNamespace(_rx_srtp=None, _rtp_router=router)
    path = FastPath(transport)
    sender = Session(Policy(key=KEY, ssrc_type=Policy.SSRC_ANY_OUTBOUND))
    data = sender.protect(RtpPacket(payload_type=96, sequence_number=7, ssrc=5, payload=b"abc").serialize())
    assert not path.take(data)
    transport._rx_srtp = CappedSession(Session(Policy(key=KEY, ssrc_type=Policy.SSRC_ANY_INBOUND)), 16)
    assert path.take(data)
    assert [(packet.sequence_number, packet.payload) for packet, _ in desk.taken] == [(7, b"abc")]
    assert path.take(data), "a replay is not media for anybody else either"
    other = sender.protect(RtpPacket(payload_type=97, sequence_number=8, ssrc=6).serialize())
    assert path.take(other)
    # Padding that is longer than the packet.
    torn = sender.protect(bytes([0xA0, 96, 0, 9]) + bytes(8) + b"\xff")
    for garbage in (data[:-1] + bytes([data[-1] ^ 1]), b"\x80" * 40, b"\x80" * 4000, torn):
        assert path.take(garbage)
    assert (len(desk.taken), path.malformed) == (1, 5)
