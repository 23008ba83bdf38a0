"""The only module that knows aiortc's and aioice's private names (aiortc 1.16.0, aioice 0.13.0, pinned).

`install` puts a `TapReceiver` into each transceiver of a peer connection in place of aiortc's receiver, and guards
around the connection: a source filter, a bounded datagram queue and caps on SSRCs. All of it is per instance; nothing
global is changed. `tests/monitor/tap/test_receiver_contract.py` fails when an upgrade moves what is used here.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from aioice import stun
from aioice.ice import CandidatePair, Connection, StunProtocol
from aiortc import RTCPeerConnection
from aiortc.codecs import depayload, is_rtx
from aiortc.exceptions import InvalidStateError
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rate import RemoteBitrateEstimator
from aiortc.rtcdtlstransport import RTCDtlsTransport, RtpRouter
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpReceiveParameters
from aiortc.rtcrtpreceiver import NackGenerator, RemoteStreamTrack, StreamStatistics
from aiortc.rtcrtptransceiver import RTCRtpTransceiver
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    RtpPacket,
    pack_remb_fci,
    unwrap_rtx,
)
from aiortc.stats import RTCStatsReport
from aiortc.utils import uint16_gte

from monitor.clock import CallClock, ntp_seconds
from monitor.tap.config import TapConfig
from monitor.tap.decode import DecodeLoop, Encoded
from monitor.tap.headers import is_key
from monitor.types import TrackKind

_RECEIVER = "_RTCRtpTransceiver__receiver"
MAX_DATAGRAMS = 2048
MAX_NACKS = 64
MAX_REMOTE = 32
GIVE_UP: dict[TrackKind, float] = {"audio": 0.1, "video": 0.5}
REPORT_SECONDS = 1.0
IGNORE_SECONDS = 1.0

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A table of at most `capacity` entries; the least recently used goes first and is told to `evicted`."""

    def __init__(self, capacity: int, evicted: Callable[[K], None] | None = None) -> None:
        self._capacity, self._evicted = capacity, evicted
        self.entries: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Look up an entry and mark it used."""
        if key in self.entries:
            self.entries.move_to_end(key)
        return self.entries.get(key)

    def put(self, key: K, value: V) -> V:
        """Add or replace an entry."""
        self.entries[key] = value
        self.entries.move_to_end(key)
        if len(self.entries) > self._capacity:
            oldest, _ = self.entries.popitem(last=False)
            if self._evicted is not None:
                self._evicted(oldest)
        return value


class CappedRouter(RtpRouter):
    """aiortc's router with at most `max_ssrc` learnt SSRCs a receiver; those named in SDP stay."""

    def __init__(self, max_ssrc: int) -> None:
        super().__init__()
        self._max_ssrc = max_ssrc
        self._named: set[int] = set()
        self._learnt: dict[int, Recent[int, None]] = {}

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
            known = self.ssrc_table.get(packet.ssrc)
            if isinstance(known, TapReceiver):
                known.stats.unknown_payload += 1
        elif packet.ssrc not in self._named:
            self._learnt.setdefault(id(receiver), Recent(self._max_ssrc, self._forget)).put(packet.ssrc, None)
        return receiver

    def _forget(self, ssrc: int) -> None:
        self.ssrc_table.pop(ssrc, None)


class CappedSession:
    """An SRTP session of at most `max_streams` streams: libsrtp makes one for each SSRC that it authenticates."""

    def __init__(self, session: Any, max_streams: int) -> None:
        self._session = session
        self.streams: Recent[int, None] = Recent(max_streams, self._remove)

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
    """Passes STUN, and other datagrams only from the far end of a validated candidate pair (RFC 8445 section 12)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.refused = 0
        self.overflowed = 0

    def guard(self, protocol: StunProtocol) -> None:
        """Put the filter before one local candidate."""
        receive = protocol.datagram_received

        def filtered(data: bytes | str, addr: tuple[Any, ...]) -> None:
            if isinstance(data, bytes) and self.admits(protocol, data, addr):
                receive(data, addr)

        protocol.datagram_received = filtered  # type: ignore[method-assign]

    def admits(self, protocol: StunProtocol, data: bytes, addr: tuple[Any, ...]) -> bool:
        """Whether a datagram may go on; counts what may not."""
        if is_stun(data):
            return self._admits_check((addr[0], addr[1]))
        if not self._validated(protocol, (addr[0], addr[1])):
            self.refused += 1
            return False
        if self._connection._queue.qsize() >= MAX_DATAGRAMS:
            self.overflowed += 1
            return False
        return True

    def _admits_check(self, addr: tuple[str, int]) -> bool:
        """Whether a check may make one more peer-reflexive candidate: aioice keeps all that it learns."""
        known = self._connection._remote_candidates
        if len(known) < MAX_REMOTE or any((c._network_host, c.port) == addr for c in known):
            return True
        self.refused += 1
        return False

    def _validated(self, protocol: StunProtocol, addr: tuple[str, int]) -> bool:
        pairs = [*self._connection._nominated.values(), *self._connection._check_list]
        return any(
            pair.protocol is protocol and pair.remote_addr == addr and pair.state is CandidatePair.State.SUCCEEDED
            for pair in pairs
        )


def is_stun(data: bytes) -> bool:
    """Whether a datagram is a STUN message (RFC 8489 section 5), as aioice will see it."""
    if not data or data[0] > 3:
        return False
    try:
        stun.parse_message(data)
    except ValueError:
        return False
    return True


@dataclass(slots=True)
class ReceiverStats:
    """Counters of one track."""

    packets: int = 0
    unknown_payload: int = 0
    ignored: int = 0
    without_key: int = 0
    given_up: int = 0
    nacks: int = 0
    plis: int = 0
    errors: int = 0
    switches: int = 0


class _Stream:
    """Reassembly of one SSRC."""

    def __init__(self, ssrc: int, kind: TrackKind) -> None:
        self.ssrc = ssrc
        self.jitter = (
            JitterBuffer(capacity=16, prefetch=4) if kind == "audio" else JitterBuffer(capacity=512, is_video=True)
        )
        self.nack = NackGenerator() if kind == "video" else None
        self.arrivals: deque[tuple[int, float]] = deque(maxlen=600)
        self.hole: tuple[int, float] | None = None

    def arrived(self, timestamp: int, now: float) -> None:
        if not self.arrivals or self.arrivals[-1][0] != timestamp:
            self.arrivals.append((timestamp, now))

    def arrival(self, timestamp: int, now: float) -> float:
        """When the first packet of a frame came; forgets the frames before it."""
        for index, (seen, at) in enumerate(self.arrivals):
            if seen == timestamp:
                for _ in range(index):
                    self.arrivals.popleft()
                return at
        return now

    def missing(self) -> list[int]:
        """Sequence numbers that are still of use."""
        origin = self.jitter._origin
        if self.nack is None or origin is None:
            return []
        return sorted(seq for seq in self.nack.missing if uint16_gte(seq, origin))[:MAX_NACKS]

    def stands(self, now: float) -> float:
        """Seconds for which the same packet has been missing at the head of the buffer."""
        hole = self._hole()
        if hole is None:
            self.hole = None
            return 0.0
        if self.hole is None or self.hole[0] != hole[0]:
            self.hole = hole[0], now
        return now - self.hole[1]

    def skip(self) -> None:
        """Give up the frames that the hole at the head of the buffer breaks."""
        hole = self._hole()
        self.hole = None
        if hole is not None and self.jitter.smart_remove(hole[1]):
            self.jitter._origin = None

    def _hole(self) -> tuple[int, int] | None:
        """First missing sequence number with packets after it, and how many slots lie before those packets."""
        jitter, first = self.jitter, None
        if jitter._origin is None:
            return None
        for count in range(jitter.capacity):
            present = jitter._packets[(jitter._origin + count) % jitter.capacity] is not None
            if not present and first is None:
                first = (jitter._origin + count) % 65536
            elif present and first is not None:
                return first, count
        return None


class TapReceiver:
    """Stands where aiortc's `RTCRtpReceiver` stood: same duties towards transport and transceiver, other innards.

    It gives each frame its true RTP timestamp, SSRC and arrival, feeds sender reports to the clock, repeats NACK and
    PLI on a timer while a gap stands, and hands frames to a decode loop that never holds the event loop.
    """

    def __init__(self, transceiver: RTCRtpTransceiver, config: TapConfig, clock: CallClock, decode: DecodeLoop) -> None:
        original = transceiver.receiver
        self.kind: TrackKind = "audio" if transceiver.kind == "audio" else "video"
        self.stats = ReceiverStats()
        self._track: RemoteStreamTrack | None = original._track
        self._enabled = original._enabled
        self._transport: RTCDtlsTransport = original.transport
        self._rtcp_ssrc: int = transceiver.sender._ssrc
        self._config, self._clock, self._decode = config, clock, decode
        self._codecs: dict[int, RTCRtpCodecParameters] = {}
        self._rtx: dict[int, int] = {}
        self._streams: Recent[int, StreamStatistics] = Recent(config.max_ssrc)
        self._reports: Recent[int, tuple[int, float]] = Recent(config.max_ssrc)
        self._left: Recent[int, float] = Recent(config.max_ssrc)
        self._stream: _Stream | None = None
        self._needs_key = self.kind == "video"
        self._asked = 0.0
        self._reported = 0.0
        self._bitrate = RemoteBitrateEstimator() if self.kind == "video" else None
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    @property
    def track(self) -> RemoteStreamTrack | None:
        """The track object that aiortc made; no media goes through it."""
        return self._track

    @property
    def transport(self) -> RTCDtlsTransport:
        """The DTLS transport."""
        return self._transport

    @property
    def ssrcs(self) -> tuple[int, ...]:
        """SSRCs remembered."""
        return tuple(self._streams.entries)

    def setTransport(self, transport: RTCDtlsTransport) -> None:  # noqa: N802 (aiortc's name)
        """Take another transport, when media are bundled."""
        self._transport = transport

    def require_key(self) -> None:
        """Drop pictures until a key frame comes, and ask for one."""
        if self.kind == "video":
            self._needs_key = True

    async def getStats(self) -> RTCStatsReport:  # noqa: N802 (aiortc's name)
        """Give an empty report: `stats` holds what is counted."""
        return RTCStatsReport()

    async def receive(self, parameters: RTCRtpReceiveParameters) -> None:
        """Begin, once ICE and DTLS are through."""
        if self._task is not None or self._stopped:
            return
        self._codecs = {c.payloadType: c for c in parameters.codecs if c.payloadType is not None}
        for encoding in parameters.encodings:
            if encoding.rtx and encoding.rtx.ssrc is not None and encoding.ssrc is not None:
                self._rtx[encoding.rtx.ssrc] = encoding.ssrc
        self._transport._register_rtp_receiver(self, parameters)
        self._task = asyncio.create_task(self._repair_forever())

    async def stop(self) -> None:
        """End; waits for nothing but its own timer."""
        self._stopped = True
        self._transport._unregister_rtp_receiver(self)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _set_rtcp_ssrc(self, ssrc: int) -> None:
        self._rtcp_ssrc = ssrc

    def _handle_disconnect(self) -> None:
        self._stopped = True

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpSrPacket):
            now, info = time.monotonic(), packet.sender_info
            self._reports.put(packet.ssrc, (info.ntp_timestamp >> 16 & 0xFFFFFFFF, now))
            self._clock.sender_report(self.kind, ntp_seconds(info.ntp_timestamp), info.rtp_timestamp, now, packet.ssrc)

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        if not self._enabled or self._stopped:
            return
        try:
            await self._estimate(packet, arrival_time_ms)
            await self._take(packet, time.monotonic())
        except Exception:
            # An exception here would end the transport's task, and with it the call.
            self.stats.errors += 1

    async def _take(self, packet: RtpPacket, now: float) -> None:
        self.stats.packets += 1
        codec = self._codecs.get(packet.payload_type)
        if codec is None:
            self.stats.unknown_payload += 1
            return
        counted = self._streams.get(packet.ssrc) or self._streams.put(packet.ssrc, StreamStatistics(codec.clockRate))
        counted.add(packet)
        if is_rtx(codec):
            apt = codec.parameters.get("apt")
            if packet.ssrc not in self._rtx or not isinstance(apt, int) or len(packet.payload) < 2:
                return
            packet = unwrap_rtx(packet, payload_type=apt, ssrc=self._rtx[packet.ssrc])
            codec = self._codecs[apt]
        stream = self._current(packet.ssrc, now)
        if stream is not None:
            await self._assemble(stream, packet, codec, now)

    def _current(self, ssrc: int, now: float) -> _Stream | None:
        """Give the stream of an SSRC, switching to a new one at once; one that was left is ignored while it goes on."""
        if self._stream is not None and self._stream.ssrc == ssrc:
            return self._stream
        left = self._left.get(ssrc)
        if left is not None and now - left < IGNORE_SECONDS:
            self._left.put(ssrc, now)
            self.stats.ignored += 1
            return None
        if self._stream is not None:
            self._left.put(self._stream.ssrc, now)
            self.stats.switches += 1
        self._stream = _Stream(ssrc, self.kind)
        self.require_key()
        return self._stream

    async def _assemble(self, stream: _Stream, packet: RtpPacket, codec: RTCRtpCodecParameters, now: float) -> None:
        if stream.nack is not None and stream.nack.add(packet):
            await self._send_nack(stream)
        packet._data = depayload(codec, packet.payload) if packet.payload else b""  # type: ignore[attr-defined]
        stream.arrived(packet.timestamp, now)
        broken, frame = stream.jitter.add(packet)
        if broken:
            self.require_key()
        while frame is not None:
            self._deliver(stream, frame, codec, now)
            frame = stream.jitter._remove_frame(packet.sequence_number)
        if self._needs_key:
            await self._send_pli(stream, now)

    def _deliver(self, stream: _Stream, frame: JitterFrame, codec: RTCRtpCodecParameters, now: float) -> None:
        if not frame.data:
            return
        if self._needs_key:
            if not is_key(codec.name, frame.data):
                self.stats.without_key += 1
                return
            self._needs_key = False
        arrival = stream.arrival(frame.timestamp, now)
        media = self._clock.tracks[self.kind].rtp(frame.timestamp, arrival, stream.ssrc)
        if not self._decode.submit(Encoded(self.kind, codec.name, frame.data, media, arrival)):
            self.require_key()

    async def _repair_forever(self) -> None:
        while True:
            await asyncio.sleep(self._config.repair_seconds)
            await self._repair(time.monotonic())

    async def _repair(self, now: float) -> None:
        """Ask again for what is missing, and give it up when it has been missing for too long."""
        if now - self._reported >= REPORT_SECONDS:
            self._reported = now
            await self._send_report(now)
        stream = self._stream
        if stream is None:
            return
        if stream.stands(now) >= GIVE_UP[self.kind]:
            stream.skip()
            self.stats.given_up += 1
            self.require_key()
        elif stream.missing():
            await self._send_nack(stream)
        if self._needs_key:
            await self._send_pli(stream, now)

    async def _send_nack(self, stream: _Stream) -> None:
        lost = stream.missing()
        if lost:
            self.stats.nacks += 1
            packet = RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=self._rtcp_ssrc, media_ssrc=stream.ssrc)
            packet.lost = lost
            await self._send(packet)

    async def _send_pli(self, stream: _Stream, now: float) -> None:
        """Ask for a key frame, no more often than `keyframe_seconds` (RFC 4585 section 6.3.1)."""
        if now - self._asked >= self._config.keyframe_seconds:
            self._asked = now
            self.stats.plis += 1
            await self._send(RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=self._rtcp_ssrc, media_ssrc=stream.ssrc))

    async def _send_report(self, now: float) -> None:
        """Send a receiver report (RFC 3550 section 6.4.2)."""
        reports = []
        for ssrc, counted in self._streams.entries.items():
            last, at = self._reports.entries.get(ssrc, (0, now))
            reports.append(
                RtcpReceiverInfo(
                    ssrc=ssrc,
                    fraction_lost=counted.fraction_lost,
                    packets_lost=counted.packets_lost,
                    highest_sequence=counted.max_seq or 0,
                    jitter=counted.jitter,
                    lsr=last,
                    dlsr=min(int((now - at) * 65536), 0xFFFFFFFF),
                )
            )
        if reports:
            await self._send(RtcpRrPacket(ssrc=self._rtcp_ssrc, reports=reports))

    async def _estimate(self, packet: RtpPacket, arrival_ms: int) -> None:
        """Tell the sender what bandwidth there seems to be (REMB), from its absolute send times."""
        sent = packet.extensions.abs_send_time
        if self._bitrate is None or sent is None:
            return
        size = len(packet.payload) + packet.padding_size
        # One bucket for all: aiortc's estimator keeps an entry for each SSRC it is told.
        remb = self._bitrate.add(abs_send_time=sent, arrival_time_ms=arrival_ms, payload_size=size, ssrc=0)
        if remb is not None:
            fci = pack_remb_fci(remb[0], [packet.ssrc])
            await self._send(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=self._rtcp_ssrc, media_ssrc=0, fci=fci))

    async def _send(self, packet: AnyRtcpPacket) -> None:
        try:
            await self._transport._send_rtp(bytes(packet))
        except ConnectionError:
            return


def install(pc: RTCPeerConnection, config: TapConfig, clock: CallClock, decode: DecodeLoop) -> tuple[TapReceiver, ...]:
    """Replace the receivers of a peer connection and cap its tables; between remote and local description."""
    if pc.signalingState != "have-remote-offer":
        raise InvalidStateError("the tap is installed between the offer and the answer")
    receivers: list[TapReceiver] = []
    for transceiver in pc.getTransceivers():
        receiver = TapReceiver(transceiver, config, clock, decode)
        setattr(transceiver, _RECEIVER, receiver)
        receivers.append(receiver)
    for transport in {id(r.transport): r.transport for r in receivers}.values():
        _cap(transport, config)
    return tuple(receivers)


def guard_sources(pc: RTCPeerConnection) -> tuple[SourceFilter, ...]:
    """Put source filters before the sockets; after the candidates have been gathered."""
    filters = []
    transports = {id(r.transport): r.transport for r in pc.getReceivers()}
    for transport in transports.values():
        connection = transport.transport._connection
        source_filter = SourceFilter(connection)
        for protocol in connection._protocols:
            source_filter.guard(protocol)
        filters.append(source_filter)
    return tuple(filters)


def _cap(transport: RTCDtlsTransport, config: TapConfig) -> None:
    transport._rtp_router = CappedRouter(config.max_ssrc)
    set_up = transport._setup_srtp

    def capped() -> None:
        set_up()
        if transport._rx_srtp is not None:
            transport._rx_srtp = CappedSession(transport._rx_srtp, 2 * config.max_ssrc)  # type: ignore[assignment]

    transport._setup_srtp = capped  # type: ignore[method-assign]
