"""What a codec makes of a picture must not depend on how busy the machine is: references and scores are made of it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext

from monitor.identity.enrolment import condition_ladder
from monitor.lab.distortions import call_simulation
from monitor.lab.distortions.codec import open_encoder
from monitor.types import ByteArray, ClockState, Stamp, VideoFrame

SIDE_PX = 256
COUNT = 12
# A frame rate of real pictures, and one whose time for a picture no machine can keep to.
EASY, HOPELESS = Fraction(25), Fraction(20_000)


def ladder() -> VideoCodecContext:
    """The encoder of the rungs of an enrolment."""
    luma = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    chroma = luma[::2, ::2]
    frame = VideoFrame(Stamp(0.0, 0.0, 0.0, ClockState.MAPPED, 0.0), luma, chroma, chroma)
    return condition_ladder.encoder_for(frame.width, frame.height, "vp8", 34)


def simulated() -> VideoCodecContext:
    """The encoder of a simulated call, at a quantiser that its rate control cannot change."""
    options = {**call_simulation._ENCODER_OPTIONS["libvpx"], "qmin": "30", "qmax": "30"}
    encoder = open_encoder("libvpx", (SIDE_PX, SIDE_PX), Fraction(1, 25), 25, options)
    encoder.bit_rate = 10_000_000
    return encoder


@pytest.mark.parametrize("make", [ladder, simulated])
def test_a_machine_that_is_too_slow_codes_the_same(make: Callable[[], VideoCodecContext]) -> None:
    coded = []
    for rate in (EASY, HOPELESS):
        encoder = make()
        encoder.framerate, encoder.time_base = rate, 1 / rate
        pictures = _moving()
        packets = [bytes(p) for n, luma in enumerate(pictures) for p in encoder.encode(_frame(luma, n, 1 / rate))]
        coded.append([*packets, *(bytes(p) for p in encoder.encode(None))])
    assert len(coded[0]) == COUNT
    assert coded[0] == coded[1]


def _moving() -> list[ByteArray]:
    """Blurred noise that moves by odd steps, so that the search for motion matters."""
    noise = np.random.default_rng(0).integers(0, 256, (SIDE_PX, SIDE_PX)).astype(np.float64)
    for axis in (0, 1):
        noise = np.cumsum(noise - noise.mean(), axis=axis)
    luma = ((noise - noise.min()) / np.ptp(noise) * 255).astype(np.uint8)
    return [np.roll(luma, (3 * n, 7 * n * n), (0, 1)) for n in range(COUNT)]


def _frame(luma: ByteArray, number: int, time_base: Fraction) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(luma, "gray").reformat(format="yuv420p")
    frame.pts, frame.time_base = number, time_base
    return frame
