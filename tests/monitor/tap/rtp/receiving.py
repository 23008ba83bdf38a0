"""A receiver on packets made by hand, which keeps what it would send, and its decode loop what it would decode."""

from __future__ import annotations

from aiortc import RTCPeerConnection
from aiortc.codecs import CODECS
from aiortc.codecs.vpx import VpxPayloadDescriptor
from aiortc.rtcrtpparameters import (
    RTCRtpDecodingParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpReceiveParameters,
    RTCRtpRtxParameters,
)
from aiortc.rtp import (
    RTCP_PSFB_PLI,
    AnyRtcpPacket,
    RtcpPsfbPacket,
    RtcpRtpfbPacket,
    RtcpSenderInfo,
    RtcpSrPacket,
    RtpPacket,
)

from monitor.tap.media.clock import CallClock
from monitor.tap.media.config import TapConfig
from monitor.tap.media.decode import DecodeLoop, EncodedFrame
from monitor.tap.rtp.packet import Packet
from monitor.tap.rtp.receiver import ABS_SEND_TIME_URI, TapReceiver
from tests.monitor.tap.media.test_headers import encode

VP8, OPUS = CODECS["video"][0], CODECS["audio"][0]
PAYLOAD, RTX_PAYLOAD = VP8.payloadType, CODECS["video"][1].payloadType
assert PAYLOAD is not None
assert RTX_PAYLOAD is not None


class Kept(DecodeLoop):
    """A decode loop that keeps what it is given; `fits` is its answer."""

    def __init__(self) -> None:
        super().__init__(TapConfig(), CallClock(), lambda kind: None)
        self.given: list[EncodedFrame] = []
        self.fits = True

    def submit(self, encoded: EncodedFrame) -> bool:
        self.given.append(encoded)
        return self.fits


class Recording(TapReceiver):
    """A receiver that keeps the RTCP it would send."""

    sent: list[AnyRtcpPacket]

    def _send(self, packet: AnyRtcpPacket) -> None:
        self.sent.append(packet)

    def nacks(self) -> list[list[int]]:
        return [p.lost for p in self.sent if isinstance(p, RtcpRtpfbPacket)]

    def plis(self) -> int:
        return sum(isinstance(p, RtcpPsfbPacket) and p.fmt == RTCP_PSFB_PLI for p in self.sent)


async def make(pc: RTCPeerConnection, kind: str = "video", config: TapConfig | None = None) -> tuple[Recording, Kept]:
    decode = Kept()
    transceiver = pc.addTransceiver(kind, "recvonly")
    receiver = Recording(transceiver, config or TapConfig(), CallClock(), decode)
    receiver.sent = []
    receiver._enabled = True
    encodings = [RTCRtpDecodingParameters(ssrc=1, payloadType=PAYLOAD or 0, rtx=RTCRtpRtxParameters(ssrc=2))]
    extensions = [RTCRtpHeaderExtensionParameters(id=2, uri=ABS_SEND_TIME_URI)]
    parameters = RTCRtpReceiveParameters(codecs=CODECS[kind], headerExtensions=extensions, encodings=encodings)
    await receiver.receive(parameters)
    await receiver.receive(RTCRtpReceiveParameters(codecs=CODECS[kind]))
    vars(transceiver)["_RTCRtpTransceiver__receiver"] = receiver
    return receiver, decode


KEY, DELTA = encode("libvpx", (64, 48), 2)


def rtp(
    sequence: int, data: bytes = DELTA, ssrc: int = 1, payload: int | None = PAYLOAD, step: int = 3600
) -> RtpPacket:
    packet = RtpPacket(payload_type=payload or 0, sequence_number=sequence, timestamp=sequence * step, ssrc=ssrc)
    packet.payload = bytes(VpxPayloadDescriptor(partition_start=1, partition_id=0)) + data
    return packet


def send_time(at: float) -> bytes:
    """A header extension that holds the absolute send time as element 2."""
    return bytes([0x22]) + (int(at * (1 << 18)) & 0xFFFFFF).to_bytes(3, "big")


async def feed(receiver: TapReceiver, *packets: RtpPacket) -> None:
    for packet in packets:
        await receiver._handle_rtp_packet(packet, 0)


def feed_at(receiver: TapReceiver, now: float, *packets: RtpPacket) -> None:
    """Feed packets that come at `now`, in virtual time."""
    for p in packets:
        receiver.take(Packet(p.payload_type, p.sequence_number, p.timestamp, p.ssrc, p.payload, len(p.payload)), now)


def sender_report(ssrc: int, ntp: int = 3_900_000_000, rtp: int = 0, packets: int = 1) -> RtcpSrPacket:
    """A report whose clock says `ntp` seconds at the RTP time `rtp`, after so many packets."""
    info = RtcpSenderInfo(ntp_timestamp=ntp << 32, rtp_timestamp=rtp, packet_count=packets, octet_count=1)
    return RtcpSrPacket(ssrc=ssrc, sender_info=info)
