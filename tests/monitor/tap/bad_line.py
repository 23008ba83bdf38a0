"""A participant's packets over a bad line, in virtual time: encoded, lost, late and out of order, judged at the end.

The sender answers what it is asked for, as browsers do: it sends again what is missing and makes key frames. Everything
on this side is the product's own, from the packets on: receivers, clock, decoders, session.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count
from random import Random

import av
import numpy as np
import pytest
from aiortc import RTCPeerConnection
from aiortc.codecs import CODECS
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.rtcrtpparameters import RTCRtpDecodingParameters, RTCRtpReceiveParameters
from aiortc.rtp import RTCP_PSFB_PLI, RtcpPsfbPacket, RtcpRtpfbPacket
from av.video.frame import PictureType

from monitor.decision.report import HopReport
from monitor.session.models import Models
from monitor.session.session import Session
from monitor.tap.media.clock import CLOCK_RATES_HZ, CallClock
from monitor.tap.media.config import TapConfig
from monitor.tap.media.decode import DecodeLoop, Decoder, make_decoder
from monitor.tap.rtp.packet import Packet
from monitor.types import (
    SAMPLE_RATE_HZ,
    AudioBlock,
    FloatArray,
    MediaItem,
    ParticipantKey,
    TrackFault,
    TrackKind,
    VideoFrame,
)
from tests.monitor.tap.rtp.receiving import OPUS, PAYLOAD, Recording, sender_report

START = 1000.0
SSRC: dict[TrackKind, int] = {"audio": 1, "video": 2}
PAYLOADS: dict[TrackKind, int] = {"audio": OPUS.payloadType or 0, "video": PAYLOAD or 0}
SOUND_SECONDS, REPAIR_SECONDS, STEP_SECONDS = 0.02, 0.1, 0.1
LATENCY_SECONDS, BACK_SECONDS = 0.05, 0.05
# What the far end's encoder may be given in place of a picture: its bytes, or None for the picture itself.
Tamper = Callable[[float], bytes | None]


class VirtualClock:
    """Takes the place of the module `time` where packets are taken."""

    now = START

    def monotonic(self) -> float:
        return self.now


@dataclass(frozen=True)
class Line:
    """Which share of the packets is lost, and by up to how many seconds they are late, each for itself."""

    lost: float = 0.0
    jitter: float = 0.0
    seed: int = 3


@dataclass
class Judged:
    """What was said, the faults that were told, and what the tap counted."""

    reports: list[HopReport] = field(default_factory=list)
    faults: list[TrackFault] = field(default_factory=list)
    pictures: list[float] = field(default_factory=list)
    errors: int = 0
    plis: int = 0
    nacks: int = 0


class Encoders:
    """The sender's: VP8 and Opus, as packets' payloads."""

    def __init__(self) -> None:
        self._video: av.VideoCodecContext | None = None
        self._audio = av.CodecContext.create("libopus", "w")
        self._audio.sample_rate, self._audio.format = SAMPLE_RATE_HZ, av.AudioFormat("s16")
        self._audio.layout, self._audio.time_base = "mono", Fraction(1, SAMPLE_RATE_HZ)
        self._numbers = count()

    def picture(self, item: VideoFrame, at: float, key: bool) -> bytes:
        if self._video is None or (self._video.width, self._video.height) != (item.width, item.height):
            self._video = self._make(item.width, item.height)
        planes = np.concatenate([item.y.ravel(), item.u.ravel(), item.v.ravel()])
        shot = av.VideoFrame.from_ndarray(planes.reshape(item.height * 3 // 2, item.width), "yuv420p")
        shot.pts, shot.time_base = round(at * 90_000), Fraction(1, 90_000)
        shot.pict_type = PictureType.I if key else PictureType.NONE
        return b"".join(bytes(packet) for packet in self._video.encode(shot))

    def packets(self, data: bytes) -> list[bytes]:
        return Vp8Encoder._packetize(data, next(self._numbers) % 0x8000)

    def sound(self, samples: FloatArray, at: float) -> Iterator[bytes]:
        loud = np.clip(samples * 32767, -32768, 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(loud[None], "s16", "mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE_HZ, round(at * SAMPLE_RATE_HZ)
        yield from (bytes(packet) for packet in self._audio.encode(frame))

    def _make(self, width: int, height: int) -> av.VideoCodecContext:
        made = av.CodecContext.create("libvpx", "w")
        made.width, made.height, made.pix_fmt = width, height, "yuv420p"
        made.time_base, made.bit_rate = Fraction(1, 90_000), 800_000
        # Below zero, so that how a picture is coded does not depend on how busy the machine is.
        made.options = {"deadline": "realtime", "cpu-used": "-8", "lag-in-frames": "0", "error-resilient": "1"}
        return made


class BadLine:
    """One call; `receive` runs it. `decoders` and `tamper` are for what goes wrong besides."""

    def __init__(
        self,
        pc: RTCPeerConnection,
        models: Models,
        clock: VirtualClock,
        line: Line,
        tamper: Tamper = lambda at: None,
        decoders: Callable[[str, int], Decoder] = make_decoder,
    ) -> None:
        self._clock, self._line, self._tamper, self._random = clock, line, tamper, Random(line.seed)
        media = CallClock()
        self._decode = DecodeLoop(TapConfig(), media, self._need_key, decoders)
        kinds: tuple[TrackKind, ...] = ("audio", "video")
        self._receivers = {
            kind: Recording(pc.addTransceiver(kind, "recvonly"), TapConfig(), media, self._decode) for kind in kinds
        }
        self._session = Session(ParticipantKey("call", "ann"), models)
        self._encoders = Encoders()
        self._sent: dict[TrackKind, dict[int, Packet]] = {"audio": {}, "video": {}}
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = count()
        self._wants_key = True
        self._reports: list[tuple[TrackKind, int]] = []
        self.judged = Judged()

    async def receive(self, items: Iterable[MediaItem], seconds: float) -> Judged:
        for kind, receiver in self._receivers.items():
            receiver.sent, receiver._enabled = [], True
            encodings = [RTCRtpDecodingParameters(ssrc=SSRC[kind], payloadType=PAYLOADS[kind])]
            await receiver.receive(RTCRtpReceiveParameters(codecs=CODECS[kind], encodings=encodings))
            assert receiver._timer is not None
            receiver._timer.cancel()
        self._plan(list(items), seconds)
        while self._events:
            self._clock.now, _, event = heapq.heappop(self._events)
            event(self._clock.now)
            for kind, second in self._reports:
                ssrc, sent = SSRC[kind], len(self._sent[kind])
                report = sender_report(ssrc, 3_900_000_000 + second, second * CLOCK_RATES_HZ[kind], sent)
                await self._receivers[kind]._handle_rtcp_packet(report)
            self._reports.clear()
        self.judged.errors = self._decode.errors
        self.judged.plis = sum(receiver.stats.plis for receiver in self._receivers.values())
        self.judged.nacks = sum(receiver.stats.nacks for receiver in self._receivers.values())
        return self.judged

    def _plan(self, items: Sequence[MediaItem], seconds: float) -> None:
        sound = np.concatenate([item.samples for item in items if isinstance(item, AudioBlock)])
        size = round(SOUND_SECONDS * SAMPLE_RATE_HZ)
        for n in range(int(min(seconds, len(sound) / SAMPLE_RATE_HZ) / SOUND_SECONDS)):
            self._at(n * SOUND_SECONDS, self._speak(sound[n * size : (n + 1) * size], n * SOUND_SECONDS))
        for item in items:
            if isinstance(item, VideoFrame) and item.stamp.media < seconds:
                self._at(item.stamp.media, self._show(item, item.stamp.media))
        for n in range(int(seconds)):
            self._at(n + 0.3, self._report(n))
        for n in range(int(seconds / STEP_SECONDS)):
            self._at(n * REPAIR_SECONDS, self._repair)
            self._at(n * STEP_SECONDS + 0.05, self._step)

    def _at(self, seconds: float, event: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (START + seconds, next(self._order), event))

    def _speak(self, samples: FloatArray, at: float) -> Callable[[float], None]:
        def speak(now: float) -> None:
            for data in self._encoders.sound(samples, at):
                self._send("audio", round(at * 48_000), data, now, False)

        return speak

    def _show(self, item: VideoFrame, at: float) -> Callable[[float], None]:
        def show(now: float) -> None:
            data = self._tamper(at)
            if data is None:
                data, self._wants_key = self._encoders.picture(item, at, self._wants_key), False
            else:
                # An encoder begins anew after it.
                self._wants_key = True
            *first, last = self._encoders.packets(data)
            for payload in first:
                self._send("video", round(at * 90_000), payload, now, False)
            self._send("video", round(at * 90_000), last, now, True)

        return show

    def _report(self, second: int) -> Callable[[float], None]:
        return lambda now: self._reports.extend([("audio", second), ("video", second)])

    def _send(self, kind: TrackKind, timestamp: int, data: bytes, now: float, marker: bool) -> None:
        number = len(self._sent[kind])
        packet = Packet(PAYLOADS[kind], number & 0xFFFF, timestamp, SSRC[kind], data, len(data), marker=marker)
        self._sent[kind][number & 0xFFFF] = packet
        self._forward(kind, packet, now)

    def _forward(self, kind: TrackKind, packet: Packet, now: float) -> None:
        if self._random.random() >= self._line.lost:
            late = LATENCY_SECONDS + self._random.uniform(0.0, self._line.jitter)
            self._at(now + late - START, lambda arrival: self._take(kind, packet, arrival))

    def _take(self, kind: TrackKind, packet: Packet, now: float) -> None:
        self._receivers[kind].take(packet, now)
        self._answer(now)

    def _repair(self, now: float) -> None:
        for receiver in self._receivers.values():
            receiver._repair(now)
        self._answer(now)

    def _answer(self, now: float) -> None:
        """What the sender does when it hears what it is asked for; that is lost as everything else is."""
        for kind, receiver in self._receivers.items():
            for asked in receiver.sent:
                if self._random.random() < self._line.lost:
                    continue
                if isinstance(asked, RtcpRtpfbPacket):
                    for number in asked.lost:
                        if number in self._sent[kind]:
                            self._forward(kind, self._sent[kind][number], now + BACK_SECONDS)
                elif isinstance(asked, RtcpPsfbPacket) and asked.fmt == RTCP_PSFB_PLI:
                    self._wants_key = True
            receiver.sent.clear()

    def _need_key(self, kind: TrackKind) -> None:
        self._receivers[kind].require_key(self._clock.now)

    def _step(self, now: float) -> None:
        items = self._decode.take(256)
        report = self._session.tick(now)
        self.judged.reports += [report] if report is not None else []
        for item in items:
            if isinstance(item, TrackFault):
                self.judged.faults.append(item)
            elif isinstance(item, VideoFrame):
                self.judged.pictures.append(now - START)
            self._session.push(item)


@pytest.fixture
def virtual(monkeypatch: pytest.MonkeyPatch) -> VirtualClock:
    """The clock of the receivers."""
    made = VirtualClock()
    monkeypatch.setattr("monitor.tap.rtp.receiver.time", made)
    return made
