"""What comes from the network as media and signalling: SDP, STUN, RTP, RTCP, and the headers of pictures."""

from __future__ import annotations

from aiortc.rtp import RtcpPacket, RtcpSrPacket

from monitor.tap.media import headers
from monitor.tap.media.clock import CallClock, ntp_seconds
from monitor.tap.media.config import TapConfig
from monitor.tap.media.entry_point import EntryPoint
from monitor.tap.media.parameter_sets import ParameterSets, parse_sprop
from monitor.tap.rtp import guards, h264_format
from monitor.tap.rtp.candidates import parse_candidate, select
from monitor.tap.rtp.packet import parse
from monitor.tap.rtp.payload import depayload_vp8
from monitor.tap.rtp.plain_sdp import parse_session
from monitor.tap.rtp.sdp import SdpError
from monitor.tap.rtp.sdp_parser import parse_fragment, parse_offer
from tests.fuzz.target import Target

CONFIG = TapConfig()
SDP_WORDS = (
    *(b"m=video 9 UDP/TLS/RTP/SAVPF 96\n", b"m=audio 0 ", b"a=candidate:", b"a=rtpmap:96 VP8/90000\n", b"a=mid:0\n"),
    *(
        b"a=fmtp:103 ",
        b"apt=97",
        b"a=ssrc-group:FID 1 1\n",
        b"a=group:BUNDLE",
        b"a=rtcp-fb:* ",
        b"a=extmap:15 ",
        b"a=\n",
    ),
)


def offer(data: bytes) -> None:
    """What is admitted is written and read back as the same; what the stack makes of it is caught where it is asked."""
    admitted = parse_offer(data.decode(errors="replace"), CONFIG)
    assert parse_offer(admitted.sdp(), CONFIG).sdp() == admitted.sdp()
    admitted.for_the_stack().sdp()


def plain_session(data: bytes) -> None:
    """The SDP of plain RTP: ports that can be bound, each once, and keys of the length that SRTP wants."""
    tracks = parse_session(data.decode(errors="replace"), CONFIG)
    ports = [port for track in tracks for port in {track.port, track.rtcp_port}]
    assert len(set(ports)) == len(ports)
    assert all(0 < port < 65536 for port in ports)
    assert all(track.codecs and len(track.key) in (0, 30) for track in tracks)


def fragment(data: bytes) -> None:
    parse_fragment(data.decode(errors="replace"), CONFIG)


def candidate(data: bytes) -> None:
    parsed = parse_candidate(data.decode(errors="replace"))
    if parsed is not None:
        select((parsed,), CONFIG)


def h264(data: bytes) -> None:
    text = data.decode(errors="replace")
    offered = h264_format.parse_format(text)
    if offered is not None:
        assert h264_format.parse_format(offered.answer(CONFIG.max_pixels)) is not None
    parse_sprop(h264_format.format_parameters(text).get("sprop-parameter-sets", ""))


def datagram(data: bytes) -> None:
    """STUN, DTLS, SRTP and SRTCP are told apart: a datagram is never two of them."""
    assert not (guards.is_stun(data) and guards.is_media(data))


def rtp(data: bytes) -> None:
    packet = parse(data)
    if packet is not None:
        assert len(packet.payload) <= packet.size <= len(data)
        for element in range(16):
            packet.send_time(element)
        if len(packet.payload) >= 2:
            packet.original(96, 1)


def rtcp(data: bytes) -> None:
    """As aiortc's transport reads it, and what the clock makes of the reports; aiortc passes over `ValueError` only."""
    clock = CallClock()
    for arrival, packet in enumerate(RtcpPacket.parse(data)):
        if isinstance(packet, RtcpSrPacket):
            info = packet.sender_info
            clock.sender_report("video", ntp_seconds(info.ntp_timestamp), info.rtp_timestamp, arrival, packet.ssrc)
            clock.stamp("video", info.rtp_timestamp, arrival, packet.ssrc)


def vp8(data: bytes) -> None:
    frame = depayload_vp8(data)
    headers.is_key("VP8", frame)
    headers.picture_size("VP8", frame)
    EntryPoint(CONFIG.conceal_seconds).admit("VP8", frame, ParameterSets(), 0.0)


def h264_picture(data: bytes) -> None:
    headers.is_key("H264", data)
    headers.is_reference(data)
    headers.recovery_frames(data)
    headers.picture_size("H264", data)
    sets = ParameterSets().updated(data)
    sets.before(data)
    entry = EntryPoint(CONFIG.conceal_seconds)
    entry.admit("H264", data, sets, 0.0)
    entry.lose(1.0)
    entry.admit("H264", data, ParameterSets(), 2.0 + CONFIG.conceal_seconds)


TARGETS = (
    Target("sdp_offer", offer, (SdpError,), SDP_WORDS),
    Target(
        "sdp_plain",
        plain_session,
        (SdpError,),
        (b"m=audio 5004 RTP/SAVP 111\n", b"a=rtcp:", b"a=rtcp-mux\n", b"a=crypto:1 ", b"inline:", b"a=ssrc:", b"65536"),
        10_000,
    ),
    Target("sdp_fragment", fragment, (SdpError,), SDP_WORDS),
    Target("candidate", candidate, (), (b"fe80::1", b"::ffff:10.0.0.1", b"%eth0", b"0x7f000001", b".local", b"65536")),
    Target(
        "h264_format", h264, (), (b"profile-level-id=", b";", b"=", b"packetization-mode=2", b"sprop-parameter-sets=")
    ),
    Target("datagram", datagram, (), (b"\x21\x12\xa4\x42", b"\x00\x01", b"\x80\xc8", b"\x16\xfe\xfd")),
    Target("rtp", rtp, (), (b"\xbe\xde\x00\x01", b"\x10\x00", b"\x90", b"\xbf")),
    Target(
        "rtcp", rtcp, (ValueError,), (b"\x80\xc8\x00\x06", b"\x81\xc9", b"\x81\xca", b"\x81\xcb", b"\x8f\xce", b"REMB")
    ),
    Target("vp8", vp8, (ValueError,), (b"\x9d\x01\x2a", b"\x90\x80\x80", b"\xff\xff\xff\xff")),
    Target(
        "h264_picture",
        h264_picture,
        (),
        (b"\x00\x00\x01\x67", b"\x00\x00\x01\x68", b"\x00\x00\x01\x06", b"\x65", b"\x00" * 64),
    ),
)
