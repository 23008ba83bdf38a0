"""An hour of a hostile sender in virtual time: from the datagram on, nothing grows, whether somebody reads or not."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiortc import RTCPeerConnection
from aiortc.codecs import CODECS
from aiortc.rtcrtpparameters import RTCRtpDecodingParameters, RTCRtpReceiveParameters
from aiortc.rtp import RtpPacket
from pylibsrtp import Policy, Session

from monitor.tap.media.clock import CallClock
from monitor.tap.media.config import TapConfig
from monitor.tap.media.decode import DecodeLoop
from monitor.tap.rtp.fast_path import FastPath
from monitor.tap.rtp.guards import CappedRouter, CappedSession
from monitor.tap.rtp.packet import Packet
from monitor.tap.rtp.receiver import TapReceiver
from monitor.types import Reason, TrackFault, TrackKind
from tests.monitor.tap.rtp.receiving import KEY, OPUS, PAYLOAD, Recording, make, rtp, sender_report

HOUR, WARM_UP = 3600, 600
MEGABYTE = 1 << 20
SSRC = 7


class Clock:
    """The monotonic clock of the modules under test."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    for module in ("fast_path", "receiver", "guards"):
        monkeypatch.setattr(f"monitor.tap.rtp.{module}.time", made)
    return made


class Far:
    """The far end, and all that its datagrams go through here: decryption, routing, reassembly, the backlog."""

    def __init__(self, receivers: dict[TrackKind, TapReceiver], decode: DecodeLoop) -> None:
        key = bytes(range(30))
        self._srtp = Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_OUTBOUND))
        self.session = CappedSession(Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_INBOUND)), 16)
        self.router = CappedRouter(8)
        for kind, receiver in receivers.items():
            types = [codec.payloadType or 0 for codec in CODECS[kind]]
            self.router.register_receiver(receiver, [], types, kind)
        transport: Any = SimpleNamespace(_rx_srtp=self.session, _rtp_router=self.router)
        self._path = FastPath(transport)
        self.receivers, self.decode = receivers, decode

    def send(self, packet: RtpPacket) -> None:
        data = self._srtp.protect(packet.serialize())
        self._srtp.remove_stream(packet.ssrc)
        assert self._path.take(data)


async def far(pc: RTCPeerConnection) -> Far:
    decode, receivers = DecodeLoop(TapConfig(), CallClock(), lambda kind: None), dict[TrackKind, TapReceiver]()
    kinds: tuple[TrackKind, ...] = ("audio", "video")
    for kind in kinds:
        receiver = Recording(pc.addTransceiver(kind, "recvonly"), TapConfig(), CallClock(), decode)
        receiver.sent, receiver._enabled = [], True
        encodings = [RTCRtpDecodingParameters(ssrc=SSRC, payloadType=0)]
        await receiver.receive(RTCRtpReceiveParameters(codecs=CODECS[kind], encodings=encodings))
        receivers[kind] = receiver
    return Far(receivers, decode)


def second_of_flood(n: int) -> Iterator[RtpPacket]:
    """Sound and pictures with holes, jumps and nothing in them, under many SSRCs and unknown payload types."""
    sound = OPUS.payloadType or 0
    yield rtp(n & 0xFFFF, bytes(40), ssrc=SSRC, payload=sound, step=960)
    yield rtp(n + n % 100 * 3 & 0xFFFF, KEY if n % 7 else bytes(200), ssrc=SSRC + 1)
    # Nothing in it and another time each; every other one under an SSRC that nobody named.
    empty = RtpPacket(payload_type=sound, sequence_number=n + 1 & 0xFFFF, timestamp=n * 999_983 & 0xFFFFFFFF)
    empty.ssrc = SSRC + 100 + n if n % 2 else SSRC
    yield empty
    yield rtp(n & 0xFFFF, payload=50, ssrc=SSRC)


async def flood(there: Far, clock: Clock, seconds: range) -> None:
    """One minute in ten somebody reads."""
    for n in seconds:
        for packet in second_of_flood(n):
            clock.now += 1 / 4
            there.send(packet)
        for receiver in there.receivers.values():
            await receiver._handle_rtcp_packet(sender_report(1_000_000 + n, 3_900_000_000 + n, n * 90_000))
            receiver._repair(clock.now)
            assert isinstance(receiver, Recording)
            receiver.sent.clear()
        there.decode.report(TrackFault("audio", Reason.OVERLOADED, "", clock.now))
        if n // 60 % 10 == 0:
            there.decode.take(64)


async def test_an_hour_of_flood_takes_no_memory(pc: RTCPeerConnection, clock: Clock) -> None:
    there = await far(pc)
    await flood(there, clock, range(WARM_UP))
    gc.collect()
    tracemalloc.start()
    try:
        await flood(there, clock, range(WARM_UP, HOUR))
        gc.collect()
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert there.receivers["audio"].stats.packets > HOUR
    assert there.decode.dropped["audio"] > HOUR / 4
    assert len(there.session.streams.entries) == 16
    assert grown * HOUR / (HOUR - WARM_UP) <= MEGABYTE


@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_packets_with_nothing_in_them_leave_no_arrivals_behind(pc: RTCPeerConnection, kind: TrackKind) -> None:
    """Each would be remembered until its frame is read, and there is none."""
    receiver, _ = await make(pc, kind)
    for n in range(5000):
        packet = Packet((OPUS.payloadType if kind == "audio" else PAYLOAD) or 0, n, n * 960, 1, b"", 0)
        receiver.take(packet, n * 0.01)
    assert receiver.stats.packets == 5000
    assert receiver._stream is not None
    assert len(receiver._stream.arrivals) <= 600


async def test_a_track_that_nobody_reads_is_bounded_in_seconds_and_in_bytes(pc: RTCPeerConnection) -> None:
    """Ten minutes of sound in large packets, and the same at a media time that stands still."""
    for step, most in ((960, 102), (0, TapConfig().backlog_bytes // 8192)):
        decode = DecodeLoop(TapConfig(), CallClock(), lambda kind: None)
        receiver = TapReceiver(pc.addTransceiver("audio", "recvonly"), TapConfig(), CallClock(), decode)
        receiver._enabled = True
        await receiver.receive(RTCRtpReceiveParameters(codecs=CODECS["audio"]))
        for n in range(3 * most):
            receiver.take(Packet(OPUS.payloadType or 0, n, n * step, 1, bytes(8192), 8192), n * 0.02)
        waiting = decode._backlog["audio"]
        assert most / 2 < len(waiting) <= most
        assert decode.dropped["audio"] == 3 * most - len(waiting)
        await receiver.stop()
