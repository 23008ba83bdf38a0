"""The short way of a media packet: from the socket's callback to its receiver, without a queue and a task in between.

aiortc would queue each datagram, wake a task for it and read every field that a packet may have. What is taken here is
SRTP only, from a source that was checked; DTLS and SRTCP go the way that aiortc laid. Nothing waits, so nothing grows.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pylibsrtp
from aiortc.rtcdtlstransport import RTCDtlsTransport

from monitor.tap.rtp.packet import read

if TYPE_CHECKING:
    from monitor.tap.rtp.receiver import TapReceiver


class Direct:
    """Takes the media datagrams of one transport; `garbled` counts those that are not what they should be."""

    def __init__(self, transport: RTCDtlsTransport) -> None:
        self._transport = transport
        self.garbled = 0

    def take(self, data: bytes) -> bool:
        """Decrypt a datagram and hand it to its receiver; False while there are no keys. Raises nothing."""
        session = self._transport._rx_srtp
        if session is None:
            return False
        try:
            packet = read(session.unprotect(data))
        except (pylibsrtp.Error, ValueError):
            # It fails authentication, comes twice, or is longer than libsrtp takes.
            packet = None
        if packet is None:
            self.garbled += 1
            return True
        receiver: TapReceiver | None = self._transport._rtp_router.route_rtp(packet)  # type: ignore[arg-type, assignment]
        if receiver is not None:
            receiver.take(packet, time.monotonic())
        return True
