"""Real loopback calls: an aiortc publisher in this process, ICE, DTLS, SRTP, decoding, clock."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import av
import pytest

from monitor.tap.media.config import TapConfig
from monitor.tap.media.decode import Decoder, EncodedFrame, make_decoder
from monitor.tap.rtp.sdp import SdpError
from monitor.tap.webrtc import WebRtcPeer
from monitor.types import ClockState, MediaItem, Reason, TrackFault, VideoFrame
from tests.monitor.tap.clips import picture_frame
from tests.monitor.tap.publisher import LOCAL, blocks, call, collect, faults, frames, passed
from tests.monitor.tap.test_replay import beep_times, flash_times


@pytest.mark.parametrize(("codec", "late"), [("video/VP8", 0.0), ("video/H264", 1.0)])
async def test_a_flash_and_its_beep_are_captured_together(codec: str, late: float) -> None:
    """Within 45 ms, also when the pictures begin a second after the sound, and media time starts at zero on each track.

    Judged on the last two flashes: this publisher's first report alone may be a frame late.
    """
    async with call(codec=codec, video_after=late) as live:
        items = await collect(live.peer, lambda i: isinstance(i[-1], VideoFrame) and i[-1].stamp.media >= 4.3)
        stats = live.peer.stats()
    mapped: list[MediaItem] = [i for i in items if not isinstance(i, TrackFault) and i.stamp.state is ClockState.MAPPED]
    seen, heard = flash_times(frames(mapped)), beep_times(blocks(mapped))
    both = [(s, min(heard, key=lambda h: abs(h - s))) for s in seen]
    both = [(s, h) for s, h in both if abs(s - h) < 0.5]
    assert len(both) >= 2
    assert max(abs(s - h) for s, h in both[-2:]) < 0.045
    assert frames(items)[0].stamp.media == pytest.approx(0.0, abs=0.1)
    assert {i.stamp.state for i in items[:5] if not isinstance(i, TrackFault)} == {ClockState.UNKNOWN}
    assert stats.decoded["video"] > 90
    assert (stats.decode_errors, stats.clock_resets) == (0, 0)
    media = [f.stamp.media for f in frames(items)]
    assert media == sorted(media)


class Failing:
    """A decoder that fails as no decoder should, some of the time."""

    def __init__(self, codec: str, max_pixels: int) -> None:
        self._inner = make_decoder(codec, max_pixels)
        self._count = 0

    def decode(self, encoded: EncodedFrame) -> list[av.VideoFrame] | list[av.AudioFrame]:
        self._count += 1
        if encoded.kind == "video" and self._count == 10:
            raise ValueError("injected")
        return self._inner.decode(encoded)


async def test_a_decoder_that_raises_is_told_and_the_call_goes_on() -> None:
    made: list[Decoder] = []

    def factory(codec: str, max_pixels: int) -> Decoder:
        made.append(Failing(codec, max_pixels) if codec == "VP8" and len(made) < 2 else make_decoder(codec, max_pixels))
        return made[-1]

    def recovered(items: list[MediaItem]) -> bool:
        failed = next((n for n, i in enumerate(items) if isinstance(i, TrackFault)), None)
        return failed is not None and len(frames(items[failed:])) > 10

    async with call(decoders=factory) as live:
        items = await collect(live.peer, recovered)
        assert live.peer.stats().decode_errors >= 1
        assert live.peer.stats().plis >= 1
    assert (faults(items)[0].track, faults(items)[0].reason) == ("video", Reason.DECODER_FAILED)
    assert "injected" not in faults(items)[0].detail


async def test_a_publisher_of_whom_nothing_comes_any_more_has_left() -> None:
    """As behind an SFU, where the connection stays; one track alone keeps the participant."""
    async with call(config=replace(LOCAL, leave_seconds=0.8)) as live:
        assert live.audio is not None
        assert live.video is not None
        await collect(live.peer, lambda items: len(blocks(items)) > 5 and len(frames(items)) > 5)
        live.audio.paused = True
        await passed(live, 40)
        assert not live.peer.ended
        live.video.paused = True
        await asyncio.wait_for(live.peer.closed.wait(), 20)
        assert live.peer.end_reason == "media_ended"
        assert live.publisher.iceConnectionState == "completed"


async def test_a_publisher_who_never_sends_anything_has_left_too() -> None:
    async with call(config=replace(LOCAL, leave_seconds=0.8)) as live:
        assert live.audio is not None
        assert live.video is not None
        live.audio.paused = live.video.paused = True
        await asyncio.wait_for(live.peer.closed.wait(), 20)
        assert live.peer.end_reason == "media_ended"


async def test_whoever_is_closed_has_not_left_by_themselves() -> None:
    async with call(video=False) as live:
        await collect(live.peer, lambda items: len(blocks(items)) > 3)
        await live.peer.close()
        assert live.peer.end_reason is None


async def test_a_paused_peer_is_heard_all_the_same() -> None:
    """Most packets are left out undecrypted, and yet somebody who was shed must not be taken to have left."""
    async with call(config=replace(LOCAL, leave_seconds=3.0)) as live:
        await collect(live.peer, lambda items: len(blocks(items)) > 3)
        live.peer.pause(True)
        await passed(live, 330)
        assert not live.peer.ended


async def test_a_paused_peer_stays_connected_decodes_nothing_and_begins_with_a_key_frame() -> None:
    """The pause lasts for as long as 100 packets take, and for longer than silence is let pass elsewhere."""
    async with call(config=replace(LOCAL, stall_seconds=0.5)) as live:
        before = await collect(live.peer, lambda items: len(frames(items)) > 10 and len(blocks(items)) > 10)
        live.peer.pause(True)
        live.peer.pause(True)
        held = live.peer.stats()
        await passed(live, 120)
        stats = live.peer.stats()
        live.peer.pause(False)
        after = await collect(live.peer, lambda items: len(frames(items)) > 10 and len(blocks(items)) > 10)
        assert live.peer.connected
    assert stats.decoded["video"] - held.decoded["video"] <= 1
    assert stats.packets == held.packets
    assert live.peer.stats().plis > stats.plis
    assert [fault.reason for fault in faults(after)] == []
    media = [f.stamp.media for f in frames([*before, *after])]
    assert media == sorted(media)
    assert max(b - a for a, b in pairwise(media)) > 1.0
    assert live.peer.stats().clock_resets == 0


async def test_lost_packets_are_asked_for_and_what_stays_lost_does_not_freeze_the_picture() -> None:
    """One packet in fifteen is lost, retransmissions too; without repair one loss freezes aiortc for 500 packets."""
    async with call(size=(640, 480)) as live:
        await collect(live.peer, lambda items: len(frames(items)) > 3)
        transport = live.publisher.getSenders()[0].transport
        send, count = transport._send_rtp, 0

        async def lossy(data: bytes) -> None:
            nonlocal count
            count += 1
            if count % 15:
                await send(data)

        transport._send_rtp = lossy  # type: ignore[method-assign]
        items = await collect(live.peer, lambda items: len(frames(items)) > 50)
        stats = live.peer.stats()
    arrivals = [f.stamp.arrival for f in frames(items)]
    assert stats.nacks > 0
    assert max(b - a for a, b in pairwise(arrivals)) < 1.8
    media = [f.stamp.media for f in frames(items)]
    assert media == sorted(media)


async def test_closing_goes_on_when_the_one_who_waits_is_cancelled() -> None:
    async with call(video=False) as live:
        await collect(live.peer, lambda items: len(items) > 3)
        waiting = asyncio.create_task(live.peer.close())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait_for(live.peer.closed.wait(), 5)
        assert live.peer.stats().state == "closed"


async def test_without_video_the_clock_stays_unknown_and_says_so() -> None:
    async with call(video=False) as live:
        items = await collect(live.peer, lambda items: len(blocks(items)) > 40)
    stamps = [b.stamp for b in blocks(items)]
    assert {s.state for s in stamps} == {ClockState.UNKNOWN}
    assert max(abs(s.arrival - s.capture) for s in stamps) < 0.5


async def test_a_slow_reader_loses_the_oldest_frames_and_they_are_counted() -> None:
    async with call(config=replace(LOCAL, backlog_seconds=0.1), video=False) as live:
        await collect(live.peer, lambda items: len(items) >= 1)
        lost = live.peer.dropped

        async def lose() -> None:
            while live.peer.dropped < lost + 10:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(live.peer.closed.wait(), 0.02)

        await asyncio.wait_for(lose(), 10)
        assert live.peer.stats().dropped_packets["audio"] == live.peer.dropped
        oldest = live.peer.oldest
        assert oldest is not None
        items = live.peer.take(5)
        assert 0 < len(blocks(items)) <= 5
        assert blocks(items)[0].stamp.arrival >= oldest


async def test_the_publisher_leaving_ends_the_source() -> None:
    async with call(video=False) as live:
        await collect(live.peer, lambda items: len(items) > 5)
        await live.publisher.close()
        rest = [item async for item in live.peer]
        await asyncio.wait_for(live.peer.closed.wait(), 5)
        assert len(rest) < 150
        assert live.peer.stats().state == "closed"


async def test_a_publisher_that_never_connects_is_closed_at_the_deadline() -> None:
    async with call(video=False) as live:
        offer = live.publisher.localDescription.sdp
    peer, _ = await WebRtcPeer.answer(offer, TapConfig(handshake_seconds=0.2))
    before = time.monotonic()
    await asyncio.wait_for(peer.closed.wait(), 5)
    assert time.monotonic() - before < 2.0
    assert [item async for item in peer] == []


async def test_the_answer_receives_only_and_names_every_candidate() -> None:
    async with call() as live:
        answer = live.answer
        assert not live.peer.connected or live.peer.stats().state == "connected"
    assert answer.count("a=recvonly") == 2
    assert answer.count("a=rtcp-mux") == 2
    assert "a=end-of-candidates" in answer
    assert "a=candidate:" in answer
    assert "stun" not in answer
    assert "PCMU" not in answer
    assert "opus/48000/2" in answer


async def test_media_flows_although_every_candidate_of_the_offer_was_denied() -> None:
    """A browser hides its addresses behind `.local` names: its own checks make it known (peer reflexive)."""
    async with call(config=TapConfig(), video=False) as live:
        items = await collect(live.peer, lambda items: len(blocks(items)) > 5)
    assert blocks(items)


async def test_trickled_candidates_are_taken_within_limits_and_restarts_refused() -> None:
    async with call(video=False) as live:
        sdp = live.publisher.localDescription.sdp
        ufrag = sdp.split("a=ice-ufrag:")[1].split("\r\n")[0]
        pwd = sdp.split("a=ice-pwd:")[1].split("\r\n")[0]
        lines = [f"a=candidate:{n} 1 udp 1 93.184.216.{n} 50000 typ host" for n in range(1, 20)]
        head = f"a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
        await live.peer.add_candidates(head + "\r\n".join(lines) + "\r\na=end-of-candidates\r\n")
        await live.peer.add_candidates(head + lines[-1] + "\r\n")
        assert live.peer._candidate_count == LOCAL.max_candidates
        with pytest.raises(SdpError) as refused:
            await live.peer.add_candidates("a=ice-ufrag:other\r\na=ice-pwd:" + "x" * 24 + "\r\n")
        assert refused.value.status == 422
        assert live.peer.etag.startswith('"')


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        ("profile-level-id=640034;level-asymmetry-allowed=1", "profile-level-id=640029"),
        ("profile-level-id=4d001f", "profile-level-id=4d001f"),
        ("Profile-Level-ID=42E01F", "profile-level-id=42e01f"),
    ],
)
async def test_the_answer_keeps_the_profile_that_was_offered(offered: str, answered: str) -> None:
    async with call(codec="video/H264") as live:
        sdp = re.sub(r"(a=fmtp:\d+ ).*profile-level-id=.*", rf"\1{offered}", live.publisher.localDescription.sdp)
    peer, answer = await WebRtcPeer.answer(sdp, LOCAL)
    await peer.close()
    formats = re.findall(r"a=fmtp:\d+ (.*profile-level-id.*)\r", answer)
    assert formats
    for parameters in formats:
        assert answered in parameters.split(";")
        assert ("level-asymmetry-allowed=1" in parameters) is ("level-asymmetry-allowed=1" in offered)


async def test_the_answer_has_the_offers_codecs_in_its_order_with_their_feedback() -> None:
    async with call() as live:
        offer = live.publisher.localDescription.sdp
        answer = live.answer
    payloads = [re.search(r"m=video \d+ \S+ (.*)\r", sdp) for sdp in (offer, answer)]
    assert [p and p[1] for p in payloads] == ["97 98", "97 98"]
    for line in ("a=rtcp-fb:97 nack\r", "a=rtcp-fb:97 nack pli\r", "a=rtcp-fb:97 goog-remb\r", "a=fmtp:98 apt=97\r"):
        assert line in answer


async def test_a_profile_that_is_not_decoded_is_refused() -> None:
    async with call(codec="video/H264") as live:
        offer = re.sub(r"profile-level-id=\w+", "profile-level-id=6e001f", live.publisher.localDescription.sdp)
    with pytest.raises(SdpError) as refused:
        await WebRtcPeer.answer(offer, LOCAL)
    assert refused.value.status == 422


async def test_closing_with_a_backlog_does_not_hold_the_event_loop() -> None:
    """600 key frames of 720p wait: closing drops them, and the loop turns on meanwhile."""
    encoder = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 1280, 720, "yuv420p"
    encoder.time_base = Fraction(1, 25)
    key = bytes(encoder.encode(picture_frame(0.0, 1280, 720))[0])
    async with call(config=replace(LOCAL, backlog_seconds=60.0), video=False) as live:
        await collect(live.peer, lambda items: len(items) > 3)
        for n in range(600):
            live.peer._decode.submit(EncodedFrame("video", "VP8", key, n / 25, 0.0))
        lag, ticking = 0.0, True

        async def tick() -> None:
            nonlocal lag
            while ticking:
                before = time.monotonic()
                await asyncio.sleep(0.005)
                lag = max(lag, time.monotonic() - before - 0.005)

        ticker = asyncio.create_task(tick())
        before = time.monotonic()
        await live.peer.close()
        took, ticking = time.monotonic() - before, False
        await ticker
        assert live.peer.stats().decoded["video"] < 300
    assert lag < 0.05
    assert took < 1.0
