"""The fast path of a media packet: from the socket's callback to its receiver, without a queue and a task in between.

aiortc would queue each datagram, wake a task for it and parse every field that a packet may have. What is taken here is
SRTP only, from a source that was checked; DTLS and SRTCP take aiortc's path. Nothing waits, so nothing grows.
"""

from __future__ import annotations

import time
from typing import Protocol

import pylibsrtp
from aiortc.rtcdtlstransport import RTCDtlsTransport

from monitor.tap.rtp.packet import Packet, parse


class PacketSink(Protocol):
    """What the transport's router leads to: the receiver of one track."""

    def take(self, packet: Packet, now: float) -> None:
        """Take a packet that came at `now` monotonic seconds; raises nothing."""
        ...


class FastPath:
    """Takes the media datagrams of one transport; `malformed` counts those that do not decrypt or parse."""

    def __init__(self, transport: RTCDtlsTransport) -> None:
        self._transport = transport
        self.malformed = 0

    def take(self, data: bytes) -> bool:
        """Decrypt a datagram and hand it to its receiver; False while there are no keys. Raises nothing."""
        session = self._transport._rx_srtp
        if session is None:
            return False
        try:
            packet = parse(session.unprotect(data))
        except (pylibsrtp.Error, ValueError):
            # It fails authentication, comes twice, or is longer than libsrtp takes.
            packet = None
        if packet is None:
            self.malformed += 1
            return True
        receiver: PacketSink | None = self._transport._rtp_router.route_rtp(packet)  # type: ignore[arg-type, assignment]
        if receiver is not None:
            receiver.take(packet, time.monotonic())
        return True
