"""What a real call over loopback tells of its tracks: why nothing is decoded, for as long as that is so."""

from __future__ import annotations

from dataclasses import replace

from monitor.types import MediaItem, Reason, TrackFault
from tests.monitor.tap.publisher import LOCAL, blocks, call, collect, faults, frames, passed


async def test_a_track_that_the_sender_says_is_silent_is_told_once() -> None:
    """aiortc sends no packet while its track gives none, and goes on to report that it has sent none."""
    config = replace(LOCAL, stall_seconds=0.5)
    async with call(config=config, video=False) as live:
        assert live.audio is not None
        await collect(live.peer, lambda items: len(blocks(items)) > 10)
        live.audio.paused = True
        items = await collect(live.peer, lambda items: any(f.reason is Reason.SILENCE for f in faults(items)))
        live.audio.paused = False
        items += await collect(live.peer, lambda items: len(blocks(items)) > 10)
    # Until the first report of the pause nobody knows.
    assert [(f.track, f.reason) for f in faults(items)][-1] == ("audio", Reason.SILENCE)
    assert [f.reason for f in faults(items)].count(Reason.SILENCE) == 1


async def test_a_track_that_stalls_is_told_once() -> None:
    """Nothing passes the network any more, the reports least of all."""
    async with call(config=replace(LOCAL, stall_seconds=0.5), video=False) as live:
        await collect(live.peer, lambda items: len(blocks(items)) > 10)
        transport = live.publisher.getSenders()[0].transport
        send = transport._send_rtp

        async def lost(data: bytes) -> None:
            pass

        transport._send_rtp = lost  # type: ignore[method-assign]
        items = await collect(live.peer, lambda items: bool(faults(items)))
        transport._send_rtp = send  # type: ignore[method-assign]
        items += await collect(live.peer, lambda items: len(blocks(items)) > 10)
    assert [(f.track, f.reason) for f in faults(items)] == [("audio", Reason.MEDIA_STALLED)]


async def test_a_codec_that_was_not_agreed_on_is_told_once_and_stays_the_reason() -> None:
    async with call(config=replace(LOCAL, stall_seconds=0.5), video=False) as live:
        assert live.audio is not None
        await collect(live.peer, lambda items: len(blocks(items)) > 3)
        transport = live.publisher.getSenders()[0].transport
        send = transport._send_rtp

        async def renumbered(data: bytes) -> None:
            """Go on in a payload type that the answer does not hold."""
            is_media = data[1] & 0x7F in (96, 111)
            await send(data[:1] + bytes([data[1] & 0x80 | 50]) + data[2:] if is_media else data)

        transport._send_rtp = renumbered  # type: ignore[method-assign]
        items = await collect(live.peer, lambda items: bool(faults(items)))
        await passed(live, 40)
        items += live.peer.take(100)
        # What comes now is nothing: that is another thing, and told; whose doing it is, the next report says.
        live.audio.paused = True
        items += await collect(live.peer, lambda items: bool(faults(items)))
    first, second = faults(items)
    assert (first.track, first.reason, second.track) == ("audio", Reason.UNSUPPORTED_CODEC, "audio")
    assert second.reason in (Reason.MEDIA_STALLED, Reason.SILENCE)


def reason_of(item: MediaItem) -> Reason | None:
    return item.reason if isinstance(item, TrackFault) else None


async def test_a_sender_without_a_key_frame_is_told_as_that_and_recovers() -> None:
    """The first picture is lost, and the sender is deaf to what it is asked for."""
    async with call(config=replace(LOCAL, stall_seconds=0.5)) as live:
        sender = live.publisher.getSenders()[1]
        transport, answer = sender.transport, sender._handle_rtcp_packet
        send, lost = transport._send_rtp, 0

        async def deaf(packet: object) -> None:
            del packet

        async def without_start(data: bytes) -> None:
            nonlocal lost
            if data[1] & 0x7F == 97 and lost < 10:
                lost += 1
                return
            await send(data)

        sender._handle_rtcp_packet = deaf  # type: ignore[method-assign]
        transport._send_rtp = without_start  # type: ignore[method-assign]
        items = await collect(live.peer, lambda items: Reason.KEYFRAME_MISSING in map(reason_of, items))
        later = await collect(live.peer, lambda items: len(blocks(items)) > 40)
        assert not frames([*items, *later])
        assert not faults(later)
        sender._handle_rtcp_packet = answer  # type: ignore[method-assign]
        await collect(live.peer, lambda items: len(frames(items)) > 3)


async def test_an_oversized_picture_is_told_and_stays_the_reason_and_the_sound_goes_on() -> None:
    config = replace(LOCAL, max_pixels=320 * 240 - 1, stall_seconds=0.5)

    def enough(items: list[MediaItem]) -> bool:
        return bool(faults(items)) and len(blocks(items)) > 40

    async with call(config=config) as live:
        items = await collect(live.peer, enough)
    told = [f.reason for f in faults(items)]
    assert set(told[told.index(Reason.FRAME_TOO_LARGE) :]) == {Reason.FRAME_TOO_LARGE}
    assert not frames(items)


async def test_layers_in_one_section_are_decoded_one_at_a_time() -> None:
    """Each packet and report of the pictures three times, under SSRCs of their own, as a faithful simulcast sender."""
    async with call(audio=False) as live:
        sender = live.publisher.getSenders()[0]
        send = sender.transport._send_rtp

        async def layered(data: bytes) -> None:
            at = 4 if 192 <= data[1] <= 223 else 8
            for layer in (1, 2, 0):
                ssrc = int.from_bytes(data[at : at + 4], "big") + layer
                await send(data[:at] + (ssrc % (1 << 32)).to_bytes(4, "big") + data[at + 4 :])

        sender.transport._send_rtp = layered  # type: ignore[method-assign]
        items = await collect(live.peer, lambda items: len(frames(items)) > 50)
        receiver = live.peer._receivers["video"]
        assert receiver._selector.selected == sender._ssrc
        assert len(receiver._selector.others) >= 2
        assert receiver.stats.switches <= 1
        stats = live.peer.stats()
    media = [frame.stamp.media for frame in frames(items)]
    assert media == sorted(set(media))
    assert (stats.decode_errors, faults(items)) == (0, [])
