"""The receiver and its guards on packets made by hand, without a network."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aioice.candidate import Candidate
from aioice.ice import Connection, StunProtocol
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
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSenderInfo,
    RtcpSrPacket,
    RtpPacket,
    unpack_remb_fci,
    wrap_rtx,
)
from pylibsrtp import Error, Policy, Session

from monitor.tap.media.clock import CallClock
from monitor.tap.media.config import TapConfig
from monitor.tap.media.decode import DecodeLoop, EncodedFrame
from monitor.tap.media.lru import LruTable
from monitor.tap.rtp.guards import (
    MAX_QUEUED_DATAGRAMS,
    MAX_REMOTE_CANDIDATES,
    PAUSED_PACKET_STRIDE,
    CappedRouter,
    CappedSession,
    SourceFilter,
    is_stun,
)
from monitor.tap.rtp.install import _count_unknown_payload, install
from monitor.tap.rtp.packet import Packet
from monitor.tap.rtp.receiver import ABS_SEND_TIME_URI, GIVE_UP_SECONDS, TapReceiver
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


@pytest.fixture
async def pc() -> AsyncIterator[RTCPeerConnection]:
    connection = RTCPeerConnection()
    yield connection
    await connection.close()


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


async def test_frames_carry_their_true_time(pc: RTCPeerConnection) -> None:
    receiver, decode = await make(pc)
    before = time.monotonic()
    await feed(receiver, rtp(65534, KEY), rtp(65535), *(rtp(n) for n in range(3)))
    assert [e.media for e in decode.given] == pytest.approx([0.0, 0.04, 0.08, 0.12], abs=0.05)
    assert all(before <= e.arrival <= time.monotonic() for e in decode.given)
    assert decode.given[0].data == KEY


async def test_pictures_wait_for_a_key_frame_and_ask_for_one(pc: RTCPeerConnection) -> None:
    receiver, decode = await make(pc)
    await feed(receiver, *(rtp(n) for n in range(5)))
    assert decode.given == []
    assert (receiver.plis(), receiver.stats.without_key) == (1, 4)
    receiver._repair(time.monotonic() + 1.1)
    assert receiver.plis() == 2
    await feed(receiver, rtp(5, KEY), rtp(6), rtp(7))
    assert [e.data for e in decode.given] == [KEY, DELTA]


async def test_a_gap_is_asked_for_until_it_is_filled(pc: RTCPeerConnection) -> None:
    receiver, decode = await make(pc)
    await feed(receiver, rtp(0, KEY), rtp(1), rtp(3))
    now = time.monotonic()
    receiver._repair(now)
    receiver._repair(now + 0.1)
    assert receiver.nacks() == [[2], [2], [2]]
    await feed(receiver, rtp(4), rtp(2), rtp(5))
    receiver._repair(now + 0.2)
    assert receiver.nacks() == [[2], [2], [2]]
    assert len(decode.given) == 5


async def test_a_gap_that_stays_is_given_up_and_a_key_frame_asked_for(pc: RTCPeerConnection) -> None:
    receiver, decode = await make(pc)
    await feed(receiver, rtp(0, KEY), rtp(1), *(rtp(n) for n in range(3, 9)))
    now = time.monotonic() + 2
    receiver._repair(now)
    receiver._repair(now + GIVE_UP_SECONDS["video"] + 0.01)
    assert receiver.stats.given_up == 1
    await feed(receiver, rtp(9), rtp(10, KEY), rtp(11), rtp(12))
    assert [e.data for e in decode.given[-2:]] == [KEY, DELTA]
    assert receiver.plis() >= 1


async def test_a_stalled_sound_buffer_goes_on_after_a_tenth_of_a_second(pc: RTCPeerConnection) -> None:
    receiver, decode = await make(pc, "audio")
    packets = [rtp(n, payload=OPUS.payloadType, step=960) for n in range(12) if n != 3]
    await feed(receiver, *packets)
    stuck = len(decode.given)
    now = time.monotonic()
    receiver._repair(now)
    receiver._repair(now + GIVE_UP_SECONDS["audio"] + 0.01)
    await feed(receiver, *(rtp(n, payload=OPUS.payloadType, step=960) for n in range(12, 16)))
    assert len(decode.given) > stuck + 3
    assert receiver.nacks() == []


async def test_a_repaired_packet_takes_its_place(pc: RTCPeerConnection) -> None:
    receiver, decode = await make(pc)
    await feed(receiver, rtp(0, KEY), rtp(2))
    lost = wrap_rtx(rtp(1), payload_type=RTX_PAYLOAD or 0, sequence_number=9, ssrc=2)
    stranger = wrap_rtx(rtp(1), payload_type=RTX_PAYLOAD or 0, sequence_number=9, ssrc=77)
    await feed(receiver, stranger, lost, rtp(3))
    assert len(decode.given) == 3


async def test_a_repair_flow_that_nothing_names_is_known_by_what_it_repeats(pc: RTCPeerConnection) -> None:
    """RFC 4588 section 5.3: simulcast senders name none; a flow that repeats what is not missing stays unknown."""
    receiver, decode = await make(pc)

    def repair(sequence: int, ssrc: int) -> RtpPacket:
        return wrap_rtx(rtp(sequence), payload_type=RTX_PAYLOAD or 0, sequence_number=9, ssrc=ssrc)

    await feed(receiver, repair(0, 78), rtp(0, KEY), rtp(2), repair(0, 77), repair(1, 78), rtp(3))
    assert len(decode.given) == 3
    await feed(receiver, rtp(5), repair(4, 78), rtp(6))
    assert len(decode.given) == 6
    assert list(receiver._rtx.entries) == [2, 78]


async def test_a_repair_of_a_stream_that_was_left_does_not_bring_it_back(pc: RTCPeerConnection) -> None:
    receiver, _ = await make(pc)
    await feed(receiver, rtp(0, KEY), rtp(1), rtp(500, KEY, ssrc=9))
    receiver._superseded.entries.clear()
    await feed(receiver, wrap_rtx(rtp(2), payload_type=RTX_PAYLOAD or 0, sequence_number=9, ssrc=2))
    assert receiver.stats.switches == 1


async def test_a_new_ssrc_takes_over_and_the_old_one_is_ignored(pc: RTCPeerConnection) -> None:
    receiver, decode = await make(pc)
    await feed(receiver, rtp(0, KEY), rtp(1), rtp(500, KEY, ssrc=9), rtp(2), rtp(501, ssrc=9), rtp(502, ssrc=9))
    assert (receiver.stats.switches, receiver.stats.ignored) == (1, 1)
    assert [e.data for e in decode.given] == [KEY, KEY, DELTA]
    media = [e.media for e in decode.given]
    assert media == sorted(media)


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
    assert len(receiver._superseded.entries) <= 8


async def test_packets_of_a_codec_that_was_not_agreed_on_are_counted(pc: RTCPeerConnection) -> None:
    receiver, decode = await make(pc)
    router = CappedRouter(8, _count_unknown_payload)
    router.register_receiver(receiver, [1], [PAYLOAD or 0], "0")
    assert router.route_rtp(rtp(0, payload=50)) is None
    assert router.route_rtp(rtp(0, payload=50, ssrc=5)) is None
    await feed(receiver, rtp(0, payload=50))
    assert receiver.stats.unknown_payload == 2
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


async def test_garbage_does_not_end_the_transport(pc: RTCPeerConnection) -> None:
    receiver, decode = await make(pc)
    odd = rtp(1)
    odd.payload = b""
    short = rtp(2)
    short.payload = b"\x80"
    await feed(receiver, rtp(0, KEY), odd, short, rtp(3))
    assert receiver.stats.errors == 1
    assert len(decode.given) == 1
    receiver._handle_disconnect()
    await feed(receiver, rtp(4))
    assert receiver.stats.packets == 4


async def test_a_full_decoder_makes_pictures_wait_for_a_key_frame(pc: RTCPeerConnection) -> None:
    receiver, decode = await make(pc)
    decode.fits = False
    await feed(receiver, rtp(0, KEY), rtp(1), rtp(2))
    assert [e.data for e in decode.given] == [KEY]
    assert receiver.stats.without_key == 1


async def test_a_jump_of_sequence_numbers_starts_over(pc: RTCPeerConnection) -> None:
    receiver, decode = await make(pc)
    await feed(receiver, rtp(5000, KEY), rtp(5001), rtp(100, KEY), rtp(101), rtp(102))
    assert [e.data for e in decode.given] == [KEY, KEY, DELTA]


async def test_sender_reports_reach_the_clock_and_are_answered(pc: RTCPeerConnection) -> None:
    receiver, _ = await make(pc)
    await feed(receiver, rtp(0, KEY), rtp(1))
    info = RtcpSenderInfo(ntp_timestamp=3_900_000_000 << 32, rtp_timestamp=0, packet_count=1, octet_count=1)
    await receiver._handle_rtcp_packet(RtcpSrPacket(ssrc=1, sender_info=info))
    assert receiver._clock.tracks["video"].reading(0.0)[0] == pytest.approx(3_900_000_000.0)
    receiver._repair(time.monotonic() + 2)
    report = next(p for p in receiver.sent if isinstance(p, RtcpRrPacket))
    assert (report.reports[0].ssrc, report.reports[0].lsr) == (1, (3_900_000_000 << 16) & 0xFFFFFFFF)
    assert report.reports[0].dlsr >= 65536


async def test_absolute_send_times_are_answered_with_an_estimate(pc: RTCPeerConnection) -> None:
    receiver, _ = await make(pc)
    for n in range(400):
        packet = Packet(PAYLOAD or 0, n, n * 3600, 1, rtp(n).payload, 1000, 0xBEDE, send_time(n * 0.02))
        receiver.take(packet, n * 0.02)
    rembs = [p for p in receiver.sent if isinstance(p, RtcpPsfbPacket) and p.fmt != RTCP_PSFB_PLI]
    assert 3 <= len(rembs) <= 8
    bitrate, ssrcs = unpack_remb_fci(rembs[-1].fci)
    assert ssrcs == [1]
    assert 200_000 < bitrate < 2_000_000


async def test_a_disabled_receiver_takes_nothing(pc: RTCPeerConnection) -> None:
    receiver, decode = await make(pc)
    receiver._enabled = False
    await feed(receiver, rtp(0, KEY), rtp(1))
    assert (receiver.stats.packets, decode.given) == (0, [])
    await receiver.stop()
    assert (await receiver.getStats()) == {}


async def test_a_paused_receiver_is_silent_and_begins_anew_with_a_key_frame(pc: RTCPeerConnection) -> None:
    receiver, decode = await make(pc)
    await feed(receiver, rtp(0, KEY), rtp(1), rtp(3))
    receiver.pause(True)
    receiver.sent.clear()
    await feed(receiver, *(rtp(n) for n in range(4, 2000, 64)))
    now = time.monotonic()
    receiver._repair(now + 2.0)
    assert (len(decode.given), receiver.nacks(), receiver.plis()) == (1, [], 0)
    receiver.pause(False)
    await feed(receiver, *(rtp(n) for n in range(2000, 2004)))
    receiver._repair(now + 4.0)
    assert (len(decode.given), receiver.plis(), receiver.stats.switches) == (1, 1, 0)
    await feed(receiver, rtp(2004, KEY), rtp(2005), rtp(2006))
    assert [e.data for e in decode.given[1:]] == [KEY, DELTA]
    assert decode.given[1].media > decode.given[0].media
    reports = [each for p in receiver.sent if isinstance(p, RtcpRrPacket) for each in p.reports]
    assert reports
    assert {each.packets_lost for each in reports[1:]} == {0}


async def test_an_unconnected_transport_is_no_harm(pc: RTCPeerConnection) -> None:
    transceiver = pc.addTransceiver("video", "recvonly")
    receiver = TapReceiver(transceiver, TapConfig(), CallClock(), Kept())
    await receiver.receive(RTCRtpReceiveParameters(codecs=CODECS["video"]))
    await feed(receiver, rtp(0), rtp(2), rtp(3))
    assert receiver.stats.plis == 1
    receiver._set_rtcp_ssrc(5)
    receiver.setTransport(receiver.transport)
    assert receiver.track is None
    await receiver.stop()
    await receiver.receive(RTCRtpReceiveParameters(codecs=CODECS["video"]))


async def test_the_tap_is_installed_between_offer_and_answer_only(pc: RTCPeerConnection) -> None:
    with pytest.raises(Exception, match="between the offer and the answer"):
        install(pc, TapConfig(), CallClock(), Kept())


def test_a_recent_table_forgets_the_least_used() -> None:
    gone: list[int] = []
    table: LruTable[int, str] = LruTable(2, gone.append)
    table.put(1, "a")
    table.put(2, "b")
    assert table.get(1) == "a"
    table.put(3, "c")
    assert gone == [2]
    assert table.get(2) is None


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
    ("data", "stun"), [(b"", False), (b"\x00", False), (b"\x16\xfe\xfd", False), (b"\x80", False), (BINDING, True)]
)
def test_what_is_stun(data: bytes, stun: bool) -> None:
    assert is_stun(data) is stun
