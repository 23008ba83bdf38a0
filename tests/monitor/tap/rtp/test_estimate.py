"""The bandwidth that is told: what aiortc's estimator says packet by packet, said seldom."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from aiortc.rate import RemoteBitrateEstimator

from monitor.tap.rtp.estimate import REMB_FALL_INTERVAL_SECONDS, REMB_INTERVAL_SECONDS, BandwidthEstimate


@pytest.mark.parametrize("pace", [0.0, 0.002])
def test_bursts_are_estimated_as_their_packets_are(pace: float) -> None:
    """Frames of six packets, sent at once or paced; after 15 s a queue builds up on the way."""
    noise, reference, estimate = random.Random(1), RemoteBitrateEstimator(), BandwidthEstimate()
    wanted: list[tuple[float, int]] = []
    told: list[tuple[float, int]] = []
    for frame in range(900):
        for number in range(6):
            sent = frame / 30 + number * pace
            now = sent + 0.01 + max(0, frame - 450) * 0.002 + noise.random() * 0.002
            stamp = int(sent * (1 << 18)) & 0xFFFFFF
            found = reference.add(arrival_time_ms=int(now * 1000), abs_send_time=stamp, payload_size=1000, ssrc=0)
            wanted += [(now, found[0])] if found else []
            bitrate = estimate.add(stamp, 1000, now)
            told += [(now, bitrate)] if bitrate is not None else []
    assert len(wanted) > 1000
    assert 20 <= len(told) <= 40
    for now, bitrate in told:
        before = [each for at, each in wanted if now - 1.5 <= at <= now + 0.1]
        assert 0.9 * min(before) <= bitrate <= 1.1 * max(before), now
    assert told[-1][1] < 0.7 * max(bitrate for _, bitrate in told)
    for (earlier, high), (later, low) in pairwise(told):
        assert later - earlier >= (REMB_FALL_INTERVAL_SECONDS if low < high else REMB_INTERVAL_SECONDS)


def test_a_fall_is_told_sooner_than_a_rise() -> None:
    estimate = BandwidthEstimate()
    assert estimate._due(1_000_000, 0.0) == 1_000_000
    assert estimate._due(900_000, 0.1) is None
    assert estimate._due(980_000, 0.5) is None
    assert estimate._due(2_000_000, 0.5) is None
    assert estimate._due(900_000, 0.5) == 900_000
    assert estimate._due(2_000_000, 1.6) == 2_000_000
