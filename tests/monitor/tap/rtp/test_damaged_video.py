"""Real streams of libx264 and libvpx through the real receiver, depacketiser and decoder, in virtual time: what is lost
on the way, what never comes, and from where on the picture can be trusted."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc import RTCPeerConnection
from aiortc.codecs import CODECS
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters
from numpy.typing import NDArray
from structlog.testing import capture_logs

from monitor.tap.media.clock import CallClock
from monitor.tap.media.config import TapConfig
from monitor.tap.media.decode import DecodeLoop
from monitor.tap.media.headers import is_key, leading_units, recovery_frames
from monitor.tap.media.parameter_sets import ParameterSets
from monitor.tap.rtp.install import parameter_sets_of
from monitor.tap.rtp.packet import Packet
from monitor.types import Reason, TrackFault, VideoFrame
from tests.monitor.tap.rtp.receiving import Recording
from tests.monitor.tap.rtp.test_sdp import OFFER, admit

FPS = 25
SIZE = (160, 128)
REFRESH_PICTURES = 20
H264, VP8 = CODECS["video"][2], CODECS["video"][0]
GLOBAL_HEADER = 1 << 22


def scene(count: int) -> list[av.VideoFrame]:
    """A pattern that moves all the time, so that a block that was not refreshed shows."""
    width, height = SIZE
    blocks = np.random.default_rng(0).integers(16, 235, (height // 4, width // 4)).astype(np.uint8)
    pattern = np.kron(blocks, np.ones((8, 8), np.uint8))
    pictures = []
    for n in range(count):
        planes = np.full((height * 3 // 2, width), 128, np.uint8)
        planes[:height] = np.roll(pattern, (n, 2 * n), (0, 1))[:height, :width]
        picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        picture.pts, picture.time_base = n, Fraction(1, FPS)
        pictures.append(picture)
    return pictures


def encode(
    count: int, encoder: str = "libx264", header: bool = False, options: Mapping[str, str] | None = None
) -> tuple[list[bytes], bytes]:
    """Encode the scene; returns the pictures and, where the header is to be apart, the parameter sets."""
    context = av.CodecContext.create(encoder, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height = SIZE
    context.pix_fmt, context.time_base, context.bit_rate = "yuv420p", Fraction(1, FPS), 500_000
    context.flags |= GLOBAL_HEADER if header else 0
    always = {"deadline": "realtime"} if encoder == "libvpx" else {"preset": "veryfast", "tune": "zerolatency"}
    context.options = {**always, **(options or {})}
    packets = [packet for picture in scene(count) for packet in context.encode(picture)]
    return [bytes(p) for p in [*packets, *context.encode(None)]], bytes(context.extradata or b"")


def refreshed(count: int) -> list[bytes]:
    """A stream with one key frame, at its start, and a recovery point every `REFRESH_PICTURES` afterwards."""
    parameters = f"intra-refresh=1:keyint={REFRESH_PICTURES}"
    pictures, _ = encode(count, options={"x264-params": parameters})
    assert [is_key("H264", data) for data in pictures] == [True] + [False] * (count - 1)
    return pictures


def shown(pictures: Sequence[bytes], codec: str = "h264") -> list[NDArray[np.uint8]]:
    """What a decoder shows that gets all of it."""
    context = av.CodecContext.create(codec, "r")
    assert isinstance(context, av.VideoCodecContext)
    context.thread_count = 1
    context.options = {"flags": "low_delay"}
    frames = [frame for data in pictures for frame in context.decode(av.Packet(data))]
    return [np.array(frame.to_ndarray()[: SIZE[1]]) for frame in frames]


class Line:
    """A sender of pictures at 25 a second that answers nothing, and what comes out at the other end."""

    def __init__(self, receiver: Recording, decode: DecodeLoop, codec: str) -> None:
        self.receiver, self.decode = receiver, decode
        self.faults: list[TrackFault] = []
        self.frames: dict[int, VideoFrame] = {}
        self._split: Callable[[bytes], list[bytes]] = (
            (lambda data: H264Encoder._packetize(H264Encoder._split_bitstream(data)))
            if codec == "H264"
            else lambda data: Vp8Encoder._packetize(data, 0)
        )
        self._payload = (H264 if codec == "H264" else VP8).payloadType or 0
        self._sequence = 0

    def send(self, pictures: Sequence[bytes], first: int = 0, lost: Collection[int] = ()) -> None:
        """Send pictures, the first of which is number `first`, without the first packet of those that are `lost`."""
        for number, data in enumerate(pictures, first):
            now = 100.0 + number / FPS
            payloads = self._split(data)
            for n, payload in enumerate(payloads):
                self._sequence += 1
                fields = self._payload, self._sequence % 65536, number * 3600, 1, payload, len(payload)
                if n or number not in lost:
                    self.receiver.take(Packet(*fields, marker=n == len(payloads) - 1), now)
            self.receiver._repair(now)
            for item in self.decode.take(100):
                if isinstance(item, TrackFault):
                    self.faults.append(item)
                elif isinstance(item, VideoFrame):
                    # Media time begins at zero with the first picture that was decoded.
                    self.frames[round(item.stamp.arrival * FPS) - 100 * FPS] = replace(item, y=item.y.copy())

    def intact(self) -> list[int]:
        return [n for n, frame in self.frames.items() if not frame.damaged]

    def damaged(self) -> list[int]:
        return [n for n, frame in self.frames.items() if frame.damaged]

    def assert_true(self, pictures: Sequence[NDArray[np.uint8]]) -> None:
        """Every picture that is not flagged is the very picture that was sent."""
        wrong = [n for n in self.intact() if not np.array_equal(self.frames[n].y, pictures[n])]
        assert wrong == []


async def line(
    pc: RTCPeerConnection, codec: str = "H264", config: TapConfig | None = None, sets: ParameterSets | None = None
) -> Line:
    config, clock = config or TapConfig(), CallClock()
    decode = DecodeLoop(config, clock, lambda kind: receiver.require_key())
    receiver = Recording(
        pc.addTransceiver("video", "recvonly"), config, clock, decode, {H264.payloadType or 0: sets or ParameterSets()}
    )
    receiver.sent, receiver._enabled = [], True
    await receiver.receive(RTCRtpReceiveParameters(codecs=CODECS["video"]))
    return Line(receiver, decode, codec)


def sprop(header: bytes) -> str:
    return ",".join(b64encode(unit).decode() for unit in leading_units(header))


def offered(parameter_sets: str) -> ParameterSets:
    """The parameter sets of an offer that was admitted."""
    text = OFFER.replace("profile-level-id=42001f", f"profile-level-id=64001f;sprop-parameter-sets={parameter_sets}")
    sections = admit(text).sections
    return parameter_sets_of([codec for section in sections for codec in section.codecs])[103]


@pytest.mark.parametrize("profile", ["baseline", "main", "high"])
async def test_every_profile_that_is_agreed_on_is_decoded(pc: RTCPeerConnection, profile: str) -> None:
    pictures, _ = encode(20, options={"profile": profile, "preset": "medium"})
    live = await line(pc)
    live.send(pictures)
    assert live.intact() == list(range(20))
    live.assert_true(shown(pictures))


async def test_parameter_sets_that_only_the_offer_has_are_used(pc: RTCPeerConnection) -> None:
    pictures, header = encode(30, header=True, options={"g": "10", "profile": "high"})
    assert {unit[0] & 31 for data in pictures for unit in leading_units(data)} <= {1, 5, 6}
    live = await line(pc, sets=offered(sprop(header)))
    live.send(pictures)
    assert live.intact() == list(range(30))
    live.assert_true(shown([header + pictures[0], *pictures[1:]]))
    without = await line(pc)
    without.send(pictures)
    assert without.frames == {}


async def test_the_offers_parameter_sets_pass_the_same_guards_as_the_streams(pc: RTCPeerConnection) -> None:
    pictures, header = encode(10, header=True)
    live = await line(pc, config=TapConfig(max_pixels=SIZE[0] * SIZE[1] - 1), sets=offered(sprop(header)))
    live.send(pictures)
    assert [fault.reason for fault in live.faults] == [Reason.FRAME_TOO_LARGE]
    assert (live.frames, live.decode.errors) == ({}, 0)


@pytest.mark.parametrize("bad", ["////", "Z0", "", "A" * 1600, ",".join(["aM48gA=="] * 17)])
async def test_malformed_parameter_sets_are_left_out_and_told_and_the_stream_is_taken(
    pc: RTCPeerConnection, bad: str
) -> None:
    pictures, header = encode(10)
    with capture_logs() as logs:
        sets = offered(f"{sprop(header)},{bad}")
    assert [entry["log_level"] for entry in logs] == ["warning"]
    assert all(bad not in str(entry) for entry in logs if bad)
    live = await line(pc, sets=sets)
    live.send(pictures)
    assert live.intact() == list(range(10))


async def test_one_who_joins_between_key_frames_begins_at_a_recovery_point(pc: RTCPeerConnection) -> None:
    """The pictures of the recovery are damaged, and the first that is not is the very one that was sent."""
    pictures = refreshed(70)
    point = next(n for n, data in enumerate(pictures) if n > 30 and recovery_frames(data) is not None)
    after = recovery_frames(pictures[point])
    assert after is not None
    assert 0 < after < REFRESH_PICTURES
    live = await line(pc, sets=offered(sprop(pictures[0])))
    live.send(pictures[30:], first=30)
    assert live.damaged() == list(range(point, point + after))
    assert live.intact() == list(range(point + after, 70))
    live.assert_true(shown(pictures))


async def test_a_loss_is_over_at_the_next_recovery_point(pc: RTCPeerConnection) -> None:
    pictures = refreshed(90)
    live = await line(pc)
    live.send(pictures, lost={25})
    # Given up half a second later, so the recovery point of picture 40 is the first.
    recovered = 40 + (recovery_frames(pictures[40]) or 0)
    assert live.intact() == [*range(25), *range(recovered, 90)]
    assert live.damaged() == list(range(40, recovered))
    live.assert_true(shown(pictures))


@pytest.mark.parametrize(("codec", "encoder"), [("H264", "libx264"), ("VP8", "libvpx")])
async def test_a_sender_that_answers_nothing_is_decoded_with_concealment_until_its_next_key_frame(
    pc: RTCPeerConnection, codec: str, encoder: str
) -> None:
    options = {"x264-params": "keyint=180:scenecut=0"} if codec == "H264" else {"g": "180", "keyint_min": "180"}
    pictures, _ = encode(200, encoder, options=options)
    assert [n for n, data in enumerate(pictures) if is_key(codec, data)] == [0, 180]
    live = await line(pc, codec)
    live.send(pictures, lost={50})
    given_up = round((0.5 + TapConfig().repair_seconds) * FPS)
    patience = round(TapConfig().conceal_seconds * FPS)
    assert live.intact() == [*range(50), *range(180, 200)]
    first = live.damaged()[0]
    assert 50 + patience < first <= 50 + patience + given_up
    assert live.damaged() == list(range(first, 180))
    assert live.faults == []
    assert live.receiver.plis() >= 180 / FPS - 3
    live.assert_true(shown(pictures, codec.lower()))


async def test_a_stream_without_any_start_is_not_decoded_and_is_no_fault_of_the_decoder(pc: RTCPeerConnection) -> None:
    for codec, encoder in (("H264", "libx264"), ("VP8", "libvpx")):
        pictures, _ = encode(200, encoder, options={"g": "300"})
        live = await line(pc, codec)
        live.send(pictures[1:], first=1)
        assert (live.frames, live.faults, live.decode.errors) == ({}, [], 0)
        assert live.receiver.needs_key
