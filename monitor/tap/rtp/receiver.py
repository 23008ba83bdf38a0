"""The receiver of one RTP track: packets become frames with arrival times, feedback goes back to the sender.

It stands where aiortc's receiver stood and uses its private names (`monitor.tap.rtp.install`).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass

from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters
from aiortc.rtcrtpreceiver import RemoteStreamTrack, StreamStatistics
from aiortc.rtcrtptransceiver import RTCRtpTransceiver
from aiortc.rtp import AnyRtcpPacket, RtcpByePacket, RtcpSrPacket, RtpPacket
from aiortc.stats import RTCStatsReport

from monitor.tap.media.clock import CallClock, ntp_seconds
from monitor.tap.media.config import TapConfig
from monitor.tap.media.decode import DecodeLoop, EncodedFrame
from monitor.tap.media.entry_point import Admitted, EntryPoint
from monitor.tap.media.lru import LruTable
from monitor.tap.media.parameter_sets import ParameterSets
from monitor.tap.rtp import feedback
from monitor.tap.rtp.estimate import BandwidthEstimate
from monitor.tap.rtp.loss import LossMeter
from monitor.tap.rtp.packet import Packet
from monitor.tap.rtp.payload import PayloadFormat
from monitor.tap.rtp.selection import StreamSelector
from monitor.tap.rtp.stream import Stream
from monitor.types import Reason, TrackFault, TrackKind

GIVE_UP_SECONDS: dict[TrackKind, float] = {"audio": 0.1, "video": 0.5}
ABS_SEND_TIME_URI = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
REPORT_SECONDS = 1.0
# The share of audio packets from which on their loss is told: so many gaps leave little of a word whole.
MIN_LOSS = 0.1


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


class TapReceiver:
    """Takes the place of aiortc's `RTCRtpReceiver`, with the same interface towards transport and transceiver.

    It gives each frame its true RTP timestamp, SSRC and arrival, feeds sender reports to the clock, repeats NACK and
    PLI on a timer while packets are missing, and hands frames to a decode loop that never blocks the event loop.
    `parameter_sets` are those of H264 that came with the offer, by payload type.
    """

    def __init__(
        self,
        transceiver: RTCRtpTransceiver,
        config: TapConfig,
        clock: CallClock,
        decode: DecodeLoop,
        parameter_sets: Mapping[int, ParameterSets] | None = None,
    ) -> None:
        original = transceiver.receiver
        self.kind: TrackKind = "audio" if transceiver.kind == "audio" else "video"
        self.stats = ReceiverStats()
        self._track: RemoteStreamTrack | None = original._track
        self._enabled = original._enabled
        self._transport: RTCDtlsTransport = original.transport
        self._rtcp_ssrc: int = transceiver.sender._ssrc
        self._config, self._clock, self._decode = config, clock, decode
        self._parameter_sets = parameter_sets or {}
        self._codecs: dict[int, PayloadFormat] = {}
        self._send_time_id = 0
        self._rtx: LruTable[int, int] = LruTable(config.max_ssrc)
        self._streams: LruTable[int, StreamStatistics] = LruTable(config.max_ssrc)
        self._reports: LruTable[int, tuple[int, float]] = LruTable(config.max_ssrc)
        self._selector = StreamSelector(config.max_ssrc)
        self._stream: Stream | None = None
        self._entry = EntryPoint(config.conceal_seconds) if self.kind == "video" else None
        self._pli_time = 0.0
        self._report_time = 0.0
        self._estimate = BandwidthEstimate()
        self._sending: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False
        self._paused = False
        self.heard_at = float("-inf")
        """When the last packet came, in monotonic seconds; while paused too."""
        self.unknown_at = float("-inf")
        """When the last packet of a codec came that was not agreed on."""
        self._loss = LossMeter()

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
        """The SSRCs that statistics are kept of."""
        return tuple(self._streams.entries)

    def setTransport(self, transport: RTCDtlsTransport) -> None:  # noqa: N802 (aiortc's name)
        """Take another transport, when media are bundled."""
        self._transport = transport

    @property
    def needs_key(self) -> bool:
        """Whether pictures wait for a key frame."""
        return self._entry is not None and self._entry.waiting

    def is_silent(self, now: float) -> bool:
        """Whether no sound comes because the sender has none to send, as its reports say."""
        return self.kind == "audio" and self._stream is not None and self._stream.sent.is_silent(now)

    def require_key(self, now: float | None = None) -> None:
        """Drop pictures until one can be decoded by itself, and request it; `now` is monotonic, the present if None."""
        if self._entry is not None:
            self._entry.lose(time.monotonic() if now is None else now)

    def pause(self, paused: bool) -> None:
        """Take no media and ask for none, or begin anew; sender reports are taken and receiver reports sent throughout.

        What is not taken is not reported as lost: the statistics begin anew as well.
        """
        self._paused = paused
        if not paused:
            self._stream = None
            self._streams = LruTable(self._config.max_ssrc)
            self._estimate = BandwidthEstimate()

    async def getStats(self) -> RTCStatsReport:  # noqa: N802 (aiortc's name)
        """Give an empty report: `stats` holds the counters."""
        return RTCStatsReport()

    async def receive(self, parameters: RTCRtpReceiveParameters) -> None:
        """Begin, once ICE and DTLS are through."""
        if self._timer is not None or self._stopped:
            return
        self._codecs = {
            c.payloadType: PayloadFormat.of(c, self._parameter_sets.get(c.payloadType))
            for c in parameters.codecs
            if c.payloadType is not None
        }
        self._send_time_id = next((e.id for e in parameters.headerExtensions if e.uri == ABS_SEND_TIME_URI), 0)
        self._selector.name(e.ssrc for e in parameters.encodings if e.ssrc is not None)
        for encoding in parameters.encodings:
            if encoding.rtx and encoding.rtx.ssrc is not None and encoding.ssrc is not None:
                self._rtx.put(encoding.rtx.ssrc, encoding.ssrc)
        self._transport._register_rtp_receiver(self, parameters)
        self._schedule_repair()

    async def stop(self) -> None:
        """End; waits for nothing."""
        self._stopped = True
        self._transport._unregister_rtp_receiver(self)
        if self._timer is not None:
            self._timer.cancel()

    def _set_rtcp_ssrc(self, ssrc: int) -> None:
        self._rtcp_ssrc = ssrc

    def _handle_disconnect(self) -> None:
        self._stopped = True

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpSrPacket):
            now, info = time.monotonic(), packet.sender_info
            self._reports.put(packet.ssrc, (info.ntp_timestamp >> 16 & 0xFFFFFFFF, now))
            self._selector.report(packet.ssrc)
            statistics, stream = self._streams.get(packet.ssrc), self._stream
            if statistics is not None and stream is not None and stream.ssrc == packet.ssrc:
                stream.sent.report(info.packet_count, statistics.packets_expected, now)
            self._clock.sender_report(self.kind, ntp_seconds(info.ntp_timestamp), info.rtp_timestamp, now, packet.ssrc)
        elif isinstance(packet, RtcpByePacket):
            for ssrc in packet.sources:
                self._selector.leave(ssrc)

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        """Take what was in aiortc's queue when the keys were made; everything later comes through `take`."""
        self.take(
            Packet(
                packet.payload_type,
                packet.sequence_number,
                packet.timestamp,
                packet.ssrc,
                packet.payload,
                len(packet.payload) + packet.padding_size,
                marker=bool(packet.marker),
            ),
            time.monotonic(),
        )

    def take(self, packet: Packet, now: float) -> None:
        """Take a packet that came at `now`; whatever it holds, this raises nothing."""
        self.heard_at = now
        if not self._enabled or self._stopped or self._paused:
            return
        try:
            self._take(packet, now)
        except Exception:
            # It would end in the callback of the socket that all of this peer's packets come by.
            self.stats.errors += 1

    def note_unknown(self, now: float) -> None:
        """Count a packet of a codec that was not agreed on."""
        self.stats.unknown_payload += 1
        self.heard_at = self.unknown_at = now

    def _take(self, packet: Packet, now: float) -> None:
        self.stats.packets += 1
        codec = self._codecs.get(packet.payload_type)
        if codec is None:
            self.note_unknown(now)
            return
        if self._send_time_id:
            self._send_bandwidth(packet, now)
        ssrc = packet.ssrc
        statistics = self._streams.get(ssrc) or self._streams.put(ssrc, StreamStatistics(codec.clock_rate))
        statistics.add(packet)  # type: ignore[arg-type]
        if codec.apt is not None:
            stream = self._repaired(packet)
            if stream is None:
                return
            packet = packet.original(codec.apt, stream.ssrc)
            codec = self._codecs[codec.apt]
        else:
            stream = self._select_stream(ssrc, now)
        if stream is not None:
            self._assemble(stream, packet, codec, now)

    def _repaired(self, packet: Packet) -> Stream | None:
        """Return the stream that a retransmission repairs; None where that is not the one that is shown.

        Where the description did not say which it is, it is the stream in which just the packet is missing that the
        retransmission repeats (RFC 4588 section 5.3).
        """
        stream = self._stream
        if stream is None or len(packet.payload) < 2:
            return None
        ssrc = self._rtx.get(packet.ssrc)
        if ssrc is None and packet.repeats in stream.missing():
            ssrc = self._rtx.put(packet.ssrc, stream.ssrc)
        return stream if ssrc == stream.ssrc else None

    def _select_stream(self, ssrc: int, now: float) -> Stream | None:
        """Return the stream of an SSRC where it is the one to decode."""
        if not self._selector.take(ssrc, now):
            self.stats.ignored += 1
            return None
        if self._stream is not None:
            if self._stream.ssrc == ssrc:
                return self._stream
            self.stats.switches += 1
        self._stream, self._loss = Stream(ssrc, self.kind), LossMeter()
        if self._entry is not None:
            self._entry = EntryPoint(self._config.conceal_seconds)
        return self._stream

    def _assemble(self, stream: Stream, packet: Packet, codec: PayloadFormat, now: float) -> None:
        self._loss.add(packet.sequence_number)
        if stream.note_sequence(packet):
            self._send_nack(stream)
        data = codec.depayload(packet.payload) if packet.payload else b""
        stream.note_arrival(packet.timestamp, now)
        stream.sent.note(now)
        stream.codec = codec
        if stream.jitter.add(packet.sequence_number, packet.timestamp, data, packet.marker):
            self._lose(stream, now)
        self._give_up(stream, now)
        self._drain(stream, codec, now)
        if self.needs_key:
            self._send_pli(stream, now)

    def _lose(self, stream: Stream, now: float) -> None:
        stream.follows = False
        self.require_key(now)

    def _give_up(self, stream: Stream, now: float) -> bool:
        """Wait no longer for a packet that has been missing for too long; returns whether there was one."""
        if stream.hole_age(now) < GIVE_UP_SECONDS[self.kind]:
            return False
        stream.give_up_hole()
        self.stats.given_up += 1
        self._lose(stream, now)
        return True

    def _drain(self, stream: Stream, codec: PayloadFormat, now: float) -> None:
        while (frame := stream.jitter.pop()) is not None:
            self._deliver(stream, *frame, codec, now)

    def _deliver(self, stream: Stream, timestamp: int, data: bytes, codec: PayloadFormat, now: float) -> None:
        if not data:
            return
        admitted = Admitted(data, damaged=False)
        if self._entry is not None:
            entering = self._entry.admit(codec.name, data, codec.parameter_sets, now)
            if entering is None:
                self.stats.without_key += 1
                return
            admitted = entering
        arrival = stream.arrival(timestamp, now)
        media = self._clock.tracks[self.kind].rtp(timestamp, arrival, stream.ssrc)
        frame = EncodedFrame(self.kind, codec.name, admitted.data, media, arrival, admitted.damaged, stream.follows)
        stream.follows = True
        if not self._decode.submit(frame):
            self.require_key(now)

    def _tick(self) -> None:
        # Before the work: whatever happens there, the next one comes.
        self._schedule_repair()
        self._repair(time.monotonic())

    def _schedule_repair(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._config.repair_seconds, self._tick)

    def _repair(self, now: float) -> None:
        """Request missing packets again, and give them up when they have been missing for too long."""
        if now - self._report_time >= REPORT_SECONDS:
            self._report_time = now
            self._send_report(now)
            self._tell_loss(now)
        stream = self._stream
        if stream is None or self._paused:
            return
        if self._give_up(stream, now):
            if stream.codec is not None:
                # In a pause the next packet may be long in coming.
                self._drain(stream, stream.codec, now)
        elif stream.missing():
            self._send_nack(stream)
        if self.needs_key:
            self._send_pli(stream, now)

    def _send_nack(self, stream: Stream) -> None:
        missing = stream.missing()
        if missing:
            self.stats.nacks += 1
            self._send(feedback.nack(self._rtcp_ssrc, stream.ssrc, missing))

    def _send_pli(self, stream: Stream, now: float) -> None:
        """Request a key frame, no more often than every `keyframe_seconds`."""
        if now - self._pli_time >= self._config.keyframe_seconds:
            self._pli_time = now
            self.stats.plis += 1
            self._send(feedback.picture_loss(self._rtcp_ssrc, stream.ssrc))

    def _tell_loss(self, now: float) -> None:
        """Tell that much of the sound is lost: it is not asked for again, as pictures are."""
        share = self._loss.close()
        if self.kind == "audio" and share >= MIN_LOSS and not self._paused:
            detail = f"{share:.0%} of the audio packets were lost"
            self._decode.report(TrackFault("audio", Reason.AUDIO_LOSS, detail, now))

    def _send_report(self, now: float) -> None:
        report = feedback.receiver_report(self._rtcp_ssrc, self._streams.entries, self._reports.entries, now)
        if report is not None:
            self._send(report)

    def _send_bandwidth(self, packet: Packet, now: float) -> None:
        """Send the bandwidth estimated from absolute send times, where it is due."""
        sent = packet.send_time(self._send_time_id)
        bitrate = self._estimate.add(sent, packet.size, now) if sent is not None else None
        if bitrate is not None:
            self._send(feedback.bandwidth(self._rtcp_ssrc, packet.ssrc, bitrate))

    def _send(self, packet: AnyRtcpPacket) -> None:
        """Send when the event loop comes to it; there is at most one for each packet that came, and a few a second."""
        task = asyncio.get_running_loop().create_task(self._send_rtcp(bytes(packet)))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send_rtcp(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            await self._transport._send_rtp(data)
