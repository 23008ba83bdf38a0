"""Sound in frames of every length, with pauses and losses, in virtual time: nothing waits for the packets behind it."""

from __future__ import annotations

import pytest
from aiortc import RTCPeerConnection

from monitor.tap.rtp.receiver import GIVE_UP_SECONDS
from tests.monitor.tap.rtp.receiving import OPUS, Kept, Recording, feed_at, make, rtp

# Frames of Opus (RFC 6716 section 2.1.4) and of six of them in a packet (RFC 7587 section 4.2), and pauses of
# discontinuous transmission (RFC 7587 section 3.1.3), which some encoders make longer.
FRAME_SECONDS = (0.0025, 0.01, 0.02, 0.06, 0.12)
PAUSE_SECONDS = (0.4, 1.0, 3.0)


def sound(receiver: Recording, at: float, sequence: int, media: float) -> None:
    packet = rtp(sequence % 65536, payload=OPUS.payloadType)
    packet.timestamp = round(media * 48_000)
    feed_at(receiver, at, packet)


def delays(decode: Kept, now: dict[float, float]) -> list[float]:
    return [now[frame.arrival] - frame.arrival for frame in decode.given]


@pytest.mark.parametrize("seconds", [*FRAME_SECONDS, *PAUSE_SECONDS])
async def test_a_packet_in_order_is_due_when_it_comes(pc: RTCPeerConnection, seconds: float) -> None:
    receiver, decode = await make(pc, "audio")
    for n in range(20):
        sound(receiver, n * seconds, 65530 + n, n * seconds)
        assert len(decode.given) == n + 1
        assert decode.given[-1].arrival == n * seconds
        assert decode.given[-1].media == pytest.approx(n * seconds, abs=1e-4)
    assert [frame.follows for frame in decode.given] == [False] + [True] * 19


@pytest.mark.parametrize("seconds", FRAME_SECONDS)
async def test_a_lost_packet_is_waited_for_in_seconds_not_in_packets(pc: RTCPeerConnection, seconds: float) -> None:
    receiver, decode = await make(pc, "audio")
    given = dict[float, float]()
    for n in range(round(1.0 / seconds)):
        if n == 3:
            continue
        sound(receiver, n * seconds, n, n * seconds)
        for frame in decode.given[len(given) :]:
            given[frame.arrival] = n * seconds
    waited = delays(decode, given)
    assert max(waited) <= GIVE_UP_SECONDS["audio"] + seconds
    assert max(waited) >= GIVE_UP_SECONDS["audio"] - seconds
    assert len(decode.given) >= round(1.0 / seconds) - 1 - GIVE_UP_SECONDS["audio"] / seconds
    assert [frame.follows for frame in decode.given].count(False) == 2
    assert receiver.stats.given_up == 1


@pytest.mark.parametrize("seconds", FRAME_SECONDS)
async def test_a_packet_that_comes_late_is_put_in_its_place(pc: RTCPeerConnection, seconds: float) -> None:
    receiver, decode = await make(pc, "audio")
    order = [*range(5), 6, 7, 5, *range(8, 20)]
    for at, n in enumerate(order):
        sound(receiver, at * min(seconds, 0.02), n, n * seconds)
    assert [frame.media for frame in decode.given] == pytest.approx([n * seconds for n in range(20)], abs=1e-3)
    assert [frame.follows for frame in decode.given].count(False) == 1


async def test_what_lies_behind_a_loss_does_not_wait_for_the_end_of_a_pause(pc: RTCPeerConnection) -> None:
    """The one before the last packet of a sentence is lost, and then the sender pauses."""
    receiver, decode = await make(pc, "audio")
    for n in range(50):
        if n != 48:
            sound(receiver, n * 0.02, n, n * 0.02)
    assert len(decode.given) == 48
    receiver._repair(1.0 + GIVE_UP_SECONDS["audio"])
    assert len(decode.given) == 49
    assert not decode.given[-1].follows
    sound(receiver, 4.0, 50, 4.0)
    assert decode.given[-1].follows
