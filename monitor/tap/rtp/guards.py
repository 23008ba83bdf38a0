"""Guards around one connection: who may send, how many SSRCs are remembered, how much may wait. Per instance."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from aioice import stun
from aioice.ice import Connection, StunProtocol
from aiortc.rtcdtlstransport import RtpRouter
from aiortc.rtp import RtpPacket

from monitor.tap.media.lru import LruTable

MAX_QUEUED_DATAGRAMS = 2048
MAX_REMOTE_CANDIDATES = 32
# SRTP guesses the upper half of a packet's index from the last one that it saw (RFC 3711 section 3.3.1): it loses count
# when 2^15 packets are left out.
PAUSED_PACKET_STRIDE = 64


class CappedRouter(RtpRouter):
    """aiortc's router with at most `max_ssrc` learnt SSRCs a receiver; those named in SDP stay.

    `on_unknown_payload` is called with a receiver whose sender uses a payload type that was not agreed on.
    """

    def __init__(self, max_ssrc: int, on_unknown_payload: Callable[[Any], None] = lambda receiver: None) -> None:
        super().__init__()
        self.on_unknown_payload = on_unknown_payload
        self._max_ssrc = max_ssrc
        self._named: set[int] = set()
        self._learnt: dict[int, LruTable[int, None]] = {}

    def register_receiver(
        self, receiver: Any, ssrcs: list[int], payload_types: list[int], mid: str | None = None
    ) -> None:
        """Register as aiortc does, and remember which SSRCs were named."""
        super().register_receiver(receiver, ssrcs, payload_types, mid)
        self._named.update(ssrcs)

    def route_rtp(self, packet: RtpPacket) -> Any:
        """Route as aiortc does, and forget the SSRC used longest ago when one is learnt too many."""
        receiver = super().route_rtp(packet)
        if receiver is None:
            sender = self.ssrc_table.get(packet.ssrc)
            if sender is not None:
                self.on_unknown_payload(sender)
        elif packet.ssrc not in self._named:
            self._learnt.setdefault(id(receiver), LruTable(self._max_ssrc, self._forget)).put(packet.ssrc, None)
        return receiver

    def _forget(self, ssrc: int) -> None:
        self.ssrc_table.pop(ssrc, None)


class CappedSession:
    """An SRTP session of at most `max_streams` streams: libsrtp makes one for each SSRC that it authenticates.

    `authenticated_at` is when a packet last did, in monotonic seconds.
    """

    def __init__(self, session: Any, max_streams: int) -> None:
        self._session = session
        self.authenticated_at = float("-inf")
        self.streams: LruTable[int, None] = LruTable(max_streams, self._remove)

    def unprotect(self, data: bytes) -> bytes:
        """Decrypt an RTP packet; raises `pylibsrtp.Error`."""
        plain: bytes = self._session.unprotect(data)
        self.authenticated_at = time.monotonic()
        self.streams.put(int.from_bytes(data[8:12], "big"), None)
        return plain

    def unprotect_rtcp(self, data: bytes) -> bytes:
        """Decrypt an RTCP packet; raises `pylibsrtp.Error`."""
        plain: bytes = self._session.unprotect_rtcp(data)
        self.authenticated_at = time.monotonic()
        self.streams.put(int.from_bytes(data[4:8], "big"), None)
        return plain

    def _remove(self, ssrc: int) -> None:
        self._session.remove_stream(ssrc)


class SourceFilter:
    """Passes STUN, and other datagrams only from a candidate of the far end (RFC 8445 section 12.2).

    Those are the candidates that came in the offer or by trickle and were admitted, and those from which a check came
    that knew our password. Whether our own check of such a pair has succeeded is not asked: the far end chooses the
    pair, and may send as soon as its own check has.

    While `paused`, media are passed only as often as SRTP must see a packet to keep count. `media` may take media
    datagrams, and says whether it did; all else, and what it leaves, goes on to aioice. What that cannot make sense of
    is counted as refused: else any stranger would write a traceback into the log with each datagram.
    """

    def __init__(self, connection: Connection, media: Callable[[bytes], bool] = lambda data: False) -> None:
        self._connection = connection
        self._media = media
        # A cache: looking an address up in aioice's list takes too long for every datagram.
        self._addresses: set[tuple[Any, ...]] = set()
        self.paused = False
        self.refused = 0
        self.overflowed = 0

    def guard(self, protocol: StunProtocol) -> None:
        """Put the filter before one local candidate."""
        receive = protocol.datagram_received

        def filtered(data: bytes | str, addr: tuple[Any, ...]) -> None:
            if not isinstance(data, bytes) or not self.admits(data, addr):
                return
            if is_media(data) and self._media(data):
                return
            try:
                receive(data, addr)
            except Exception:
                # A check of somebody who knows our password, without an attribute that aioice takes for granted.
                self.refused += 1

        protocol.datagram_received = filtered  # type: ignore[method-assign]

    def admits(self, data: bytes, addr: tuple[Any, ...]) -> bool:
        """Whether a datagram may go on; counts what may not."""
        if is_stun(data):
            return self._admits_check((addr[0], addr[1]))
        if self.paused and is_media(data) and int.from_bytes(data[2:4], "big") % PAUSED_PACKET_STRIDE:
            return False
        if addr not in self._addresses and not self._is_candidate(addr):
            self.refused += 1
            return False
        if self._connection._queue.qsize() >= MAX_QUEUED_DATAGRAMS:
            self.overflowed += 1
            return False
        return True

    def _admits_check(self, addr: tuple[str, int]) -> bool:
        """Whether a check may make one more peer-reflexive candidate: aioice keeps all that it learns."""
        if len(self._connection._remote_candidates) < MAX_REMOTE_CANDIDATES or self._is_candidate(addr):
            return True
        self.refused += 1
        return False

    def _is_candidate(self, addr: tuple[Any, ...]) -> bool:
        address = (addr[0], addr[1])
        if not any((c._network_host, c.port) == address for c in self._connection._remote_candidates):
            return False
        if len(self._addresses) >= MAX_REMOTE_CANDIDATES:
            self._addresses.clear()
        self._addresses.add(addr)
        return True


def is_media(data: bytes) -> bool:
    """Whether a datagram is SRTP, and neither SRTCP (RFC 5761 section 4) nor DTLS (RFC 7983 section 7)."""
    return len(data) > 3 and 128 <= data[0] <= 191 and not 192 <= data[1] <= 223


def is_stun(data: bytes) -> bool:
    """Whether a datagram is a STUN message (RFC 8489 section 5), as aioice will see it."""
    if not data or data[0] > 3:
        return False
    try:
        stun.parse_message(data)
    except Exception:
        # An attribute of the wrong length raises what unpacking it raises, not the `ValueError` of the parser.
        return False
    return True
