"""Guards around one connection: who may send, how many SSRCs are remembered, how much may wait. Per instance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aioice import stun
from aioice.ice import CandidatePair, Connection, StunProtocol
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
    """An SRTP session of at most `max_streams` streams: libsrtp makes one for each SSRC that it authenticates."""

    def __init__(self, session: Any, max_streams: int) -> None:
        self._session = session
        self.streams: LruTable[int, None] = LruTable(max_streams, self._remove)

    def unprotect(self, data: bytes) -> bytes:
        """Decrypt an RTP packet; raises `pylibsrtp.Error`."""
        plain: bytes = self._session.unprotect(data)
        self.streams.put(int.from_bytes(data[8:12], "big"), None)
        return plain

    def unprotect_rtcp(self, data: bytes) -> bytes:
        """Decrypt an RTCP packet; raises `pylibsrtp.Error`."""
        plain: bytes = self._session.unprotect_rtcp(data)
        self.streams.put(int.from_bytes(data[4:8], "big"), None)
        return plain

    def _remove(self, ssrc: int) -> None:
        self._session.remove_stream(ssrc)


class SourceFilter:
    """Passes STUN, and other datagrams only from the far end of a validated candidate pair (RFC 8445 section 12).

    While `paused`, media are passed only as often as SRTP must see a packet to keep count. `media` may take media
    datagrams, and says whether it did; all else, and what it leaves, goes on to aioice.
    """

    def __init__(self, connection: Connection, media: Callable[[bytes], bool] = lambda data: False) -> None:
        self._connection = connection
        self._media = media
        # A cache: looking a pair up in aioice's lists takes too long for every datagram.
        self._pairs: dict[tuple[StunProtocol, tuple[Any, ...]], CandidatePair] = {}
        self.paused = False
        self.refused = 0
        self.overflowed = 0

    def guard(self, protocol: StunProtocol) -> None:
        """Put the filter before one local candidate."""
        receive = protocol.datagram_received

        def filtered(data: bytes | str, addr: tuple[Any, ...]) -> None:
            if not isinstance(data, bytes) or not self.admits(protocol, data, addr):
                return
            if not (is_media(data) and self._media(data)):
                receive(data, addr)

        protocol.datagram_received = filtered  # type: ignore[method-assign]

    def admits(self, protocol: StunProtocol, data: bytes, addr: tuple[Any, ...]) -> bool:
        """Whether a datagram may go on; counts what may not."""
        if data and data[0] > 3:
            pair = self._pairs.get((protocol, addr))
            validated = pair is not None and pair.state is CandidatePair.State.SUCCEEDED
        elif is_stun(data):
            return self._admits_check((addr[0], addr[1]))
        else:
            validated = False
        if self.paused and is_media(data) and int.from_bytes(data[2:4], "big") % PAUSED_PACKET_STRIDE:
            return False
        if not validated and not self._validated(protocol, addr):
            self.refused += 1
            return False
        if self._connection._queue.qsize() >= MAX_QUEUED_DATAGRAMS:
            self.overflowed += 1
            return False
        return True

    def _admits_check(self, addr: tuple[str, int]) -> bool:
        """Whether a check may make one more peer-reflexive candidate: aioice keeps all that it learns."""
        remote = self._connection._remote_candidates
        if len(remote) < MAX_REMOTE_CANDIDATES or any((c._network_host, c.port) == addr for c in remote):
            return True
        self.refused += 1
        return False

    def _validated(self, protocol: StunProtocol, addr: tuple[Any, ...]) -> bool:
        for pair in (*self._connection._nominated.values(), *self._connection._check_list):
            if (
                pair.protocol is protocol
                and pair.remote_addr == (addr[0], addr[1])
                and pair.state is CandidatePair.State.SUCCEEDED
            ):
                if len(self._pairs) >= MAX_REMOTE_CANDIDATES:
                    self._pairs.clear()
                self._pairs[protocol, addr] = pair
                return True
        return False


def is_media(data: bytes) -> bool:
    """Whether a datagram is SRTP, and neither SRTCP (RFC 5761 section 4) nor DTLS (RFC 7983 section 7)."""
    return len(data) > 3 and 128 <= data[0] <= 191 and not 192 <= data[1] <= 223


def is_stun(data: bytes) -> bool:
    """Whether a datagram is a STUN message (RFC 8489 section 5), as aioice will see it."""
    if not data or data[0] > 3:
        return False
    try:
        stun.parse_message(data)
    except ValueError:
        return False
    return True
