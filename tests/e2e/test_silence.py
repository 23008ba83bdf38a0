"""A genuine person falls silent and their encoder sends next to nothing (DTX): that is silence, and no stall."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from aiortc import RTCPeerConnection

from monitor.decision.decide import Decision
from monitor.session.models import Models, load_models
from monitor.session.session import Session
from monitor.tap.media.clock import CLOCK_RATES_HZ
from monitor.tap.media.config import TapConfig
from monitor.tap.media.decode import DecodeLoop
from monitor.tap.replay import read_clip
from monitor.types import SAMPLE_RATE_HZ, AudioBlock, MediaItem, ParticipantKey, Reason, Verdict, VideoFrame
from tests.e2e.media import marry
from tests.e2e.over_rtp import SSRC
from tests.e2e.test_twins import GENUINE
from tests.monitor.tap.media.senders import EPOCH
from tests.monitor.tap.rtp.receiving import OPUS, feed_at, make, rtp

SECONDS = 26
PAUSE = (8.0, 18.0)


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models()


def opus(items: list[MediaItem], packet_seconds: float) -> list[bytes]:
    """The sound of a clip in packets of so many seconds, silent in the pause."""
    sound = np.concatenate([item.samples for item in items if isinstance(item, AudioBlock)])
    sound[round(PAUSE[0] * SAMPLE_RATE_HZ) : round(PAUSE[1] * SAMPLE_RATE_HZ)] = 0.0
    context = av.CodecContext.create("libopus", "w")
    context.sample_rate, context.format, context.layout = SAMPLE_RATE_HZ, av.AudioFormat("flt"), "mono"
    context.time_base = Fraction(1, SAMPLE_RATE_HZ)
    context.options = {"frame_duration": f"{1000 * packet_seconds:g}"}
    size, packets = round(packet_seconds * SAMPLE_RATE_HZ), list[bytes]()
    for first in range(0, len(sound) - size, size):
        frame = av.AudioFrame.from_ndarray(sound[None, first : first + size], "flt", "mono")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE_HZ, first, context.time_base
        packets += [bytes(packet) for packet in context.encode(frame)]
    return packets


Event = tuple[float, bytes | VideoFrame | None]


def in_turn(items: list[MediaItem], packet_seconds: float, every: float) -> Iterator[Event]:
    """Pictures, packets of sound (in the pause one every so many seconds) and a moment for reports once a second."""
    events: list[Event] = [(item.stamp.capture, item) for item in items if isinstance(item, VideoFrame)]
    stride = round(every / packet_seconds)
    events += [
        (n * packet_seconds, data)
        for n, data in enumerate(opus(items, packet_seconds))
        if not PAUSE[0] <= n * packet_seconds < PAUSE[1] or n % stride == 0
    ]
    events += [(n + 0.5, None) for n in range(SECONDS)]
    yield from sorted(events, key=lambda event: event[0])


async def judged(
    models: Models, items: list[MediaItem], packet_seconds: float, every: float
) -> list[tuple[float, Decision]]:
    """Through the receiver, the decode loop and the session, in virtual time."""
    pc = RTCPeerConnection()
    receiver, _ = await make(pc, "audio")
    clock, sequence, decisions = receiver._clock, 0, list[tuple[float, Decision]]()
    decode = DecodeLoop(TapConfig(), clock, lambda kind: None)
    receiver._decode = decode
    session = Session(ParticipantKey("call", "ann"), models)
    for at, what in in_turn(items, packet_seconds, every):
        if what is None:
            for kind, ssrc in SSRC.items():
                clock.sender_report(kind, EPOCH + at, round(at * CLOCK_RATES_HZ[kind]), at, ssrc)
        elif isinstance(what, VideoFrame):
            ticks = round(at * CLOCK_RATES_HZ["video"])
            session.push(replace(what, stamp=clock.stamp("video", ticks, at, SSRC["video"])))
        else:
            packet = rtp(sequence, payload=OPUS.payloadType)
            packet.payload, packet.timestamp, sequence = what, round(at * CLOCK_RATES_HZ["audio"]), sequence + 1
            feed_at(receiver, at, packet)
            for item in decode.take(64):
                session.push(item)
        report = session.tick(at)
        decisions += [(at, report.decision)] if report else []
    await pc.close()
    return decisions


@pytest.mark.data
@pytest.mark.parametrize(("packet_seconds", "every"), [(0.02, 0.4), (0.02, 1.0), (0.0025, 0.4)])
async def test_a_pause_with_few_packets_is_silence(
    data_dir: Path, models: Models, tmp_path: Path, packet_seconds: float, every: float
) -> None:
    clip, long = data_dir / "clips/real" / GENUINE[0], tmp_path / "long.mp4"
    marry(clip, clip, SECONDS, long)
    decisions = await judged(models, list(read_clip(long)), packet_seconds, every)
    assert [d.verdict for _, d in decisions if d.verdict in (Verdict.SUSPECT, Verdict.ALERT)] == []
    before = [d for at, d in decisions if 6.0 < at < PAUSE[0]]
    assert all(d.scores[0].value is not None for d in before)
    paused = [d.reason for at, d in decisions if PAUSE[0] + 4.5 < at < PAUSE[1]]
    assert set(paused) == {Reason.SILENCE}
    assert {d.reason for _, d in decisions} <= {Reason.WARMING_UP, Reason.SILENCE, Reason.NOT_ENROLLED}
    again = [d for at, d in decisions if at > PAUSE[1] + 5.0]
    assert all(d.scores[0].value is not None for d in again)
