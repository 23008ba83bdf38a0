"""The receiver on packets made by hand, without a network: repair, key frames, clock, reports."""

from __future__ import annotations

import random
import time

import pytest
from aiortc import RTCPeerConnection
from aiortc.codecs import CODECS
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters
from aiortc.rtp import (
    RTCP_PSFB_PLI,
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtpPacket,
    unpack_remb_fci,
    wrap_rtx,
)

from monitor.tap.media.clock import CallClock
from monitor.tap.media.config import TapConfig
from monitor.tap.rtp.install import install
from monitor.tap.rtp.packet import Packet
from monitor.tap.rtp.receiver import GIVE_UP_SECONDS, TapReceiver
from monitor.types import Reason, TrackFault
from tests.monitor.tap.rtp.receiving import (
    DELTA,
    KEY,
    OPUS,
    PAYLOAD,
    RTX_PAYLOAD,
    Kept,
    feed,
    feed_at,
    make,
    rtp,
    send_time,
    sender_report,
)


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


@pytest.mark.parametrize(("lost_every", "told"), [(5, True), (20, False), (0, False)])
async def test_sound_of_which_much_is_lost_is_told_every_second(
    pc: RTCPeerConnection, lost_every: int, told: bool
) -> None:
    receiver, decode = await make(pc, "audio")
    now = time.monotonic()
    for n in range(250):
        if not lost_every or n % lost_every:
            payload = bytes(40)
            receiver.take(Packet(OPUS.payloadType or 0, n, n * 960, 1, payload, len(payload)), now + n * 0.02)
        receiver._repair(now + n * 0.02)
    faults = [item for item in decode.take(0) if isinstance(item, TrackFault)]
    assert {fault.reason for fault in faults} == ({Reason.AUDIO_LOSS} if told else set())
    assert len(faults) in ((4, 5) if told else (0,))
    assert all(15 <= int(fault.detail.partition("%")[0]) <= 25 for fault in faults)


@pytest.mark.parametrize("lost", [0.2, 0.45, 0.7])
async def test_the_waits_for_lost_sound_do_not_add_up(pc: RTCPeerConnection, lost: float) -> None:
    """However much is lost, what came is not held for longer than one missing packet is waited for."""
    receiver, decode = await make(pc, "audio")
    chance, delays = random.Random(3), list[float]()
    for n in range(1000):
        now = 100.0 + n * 0.02
        if chance.random() >= lost:
            receiver.take(Packet(OPUS.payloadType or 0, n, n * 960, 1, bytes(40), 40), now)
        if n % 5 == 0:
            receiver._repair(now)
        delays += [now - frame.arrival for frame in decode.given]
        decode.given.clear()
    assert max(delays) < GIVE_UP_SECONDS["audio"] + 0.15
    assert len(delays) > 900 * (1 - lost)


async def test_lost_pictures_are_not_told_as_lost_sound(pc: RTCPeerConnection) -> None:
    receiver, decode = await make(pc)
    now = time.monotonic()
    await feed(receiver, *(rtp(n, KEY) for n in range(200) if n % 4))
    receiver._repair(now + 2.0)
    assert decode.take(0) == []


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
    feed_at(receiver, 0.0, rtp(0, KEY), rtp(1))
    feed_at(receiver, 0.6, rtp(500, KEY, ssrc=9))
    feed_at(receiver, 1.2, wrap_rtx(rtp(2), payload_type=RTX_PAYLOAD or 0, sequence_number=9, ssrc=2))
    assert receiver.stats.switches == 1


async def test_a_new_ssrc_takes_over_once_the_old_one_is_silent(pc: RTCPeerConnection) -> None:
    receiver, decode = await make(pc)
    feed_at(receiver, 0.0, rtp(0, KEY), rtp(1))
    feed_at(receiver, 0.4, rtp(499, KEY, ssrc=9))
    feed_at(receiver, 0.6, rtp(500, KEY, ssrc=9), rtp(2), rtp(501, ssrc=9), rtp(502, ssrc=9))
    assert (receiver.stats.switches, receiver.stats.ignored) == (1, 2)
    assert [e.data for e in decode.given] == [KEY, KEY, DELTA]
    media = [e.media for e in decode.given]
    assert media == sorted(media)


async def test_layers_of_simulcast_are_not_interleaved_and_the_named_one_is_decoded(pc: RTCPeerConnection) -> None:
    """Three layers with sender reports of their own, in one media section; the offer names SSRC 1."""
    receiver, decode = await make(pc)
    for n in range(100):
        feed_at(receiver, n / 25, *(rtp(n, KEY, ssrc=ssrc) for ssrc in (5, 1, 6)))
        if n % 25 == 12:
            for ssrc in (6, 5, 1):
                await receiver._handle_rtcp_packet(sender_report(ssrc))
    assert (receiver.stats.switches, receiver._stream.ssrc if receiver._stream else None) == (1, 1)
    arrivals = [e.arrival for e in decode.given]
    assert len(arrivals) > 95
    assert arrivals == sorted(set(arrivals))
    assert receiver._clock.tracks["video"].resets == 1


async def test_a_layer_that_says_goodbye_is_followed_at_once(pc: RTCPeerConnection) -> None:
    receiver, decode = await make(pc)
    feed_at(receiver, 0.0, rtp(0, KEY), rtp(1), rtp(0, KEY, ssrc=5))
    await receiver._handle_rtcp_packet(RtcpByePacket(sources=[1]))
    feed_at(receiver, 0.1, rtp(1, KEY, ssrc=5), rtp(2, ssrc=5))
    assert receiver.stats.switches == 1
    assert len(decode.given) == 2


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
    await receiver._handle_rtcp_packet(sender_report(1))
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
