"""Both codecs are of the same pictures at about the same bit rate, and all of them are decoded in every round."""

from __future__ import annotations

from itertools import islice

import av
import pytest

from monitor.lab.bench import decoding
from monitor.lab.bench.clip import FPS, HEIGHT, WIDTH, pictures


def test_the_same_pictures_are_decoded_in_both_by_turns() -> None:
    frames = list(islice(pictures(None)[2], 8))
    streams = {codec: decoding.encoded(codec, frames) for codec in decoding.ENCODERS}
    assert {codec: len(made) for codec, made in streams.items()} == {"VP8": 8, "H264": 8}
    assert [frame.media for frame in streams["H264"]] == pytest.approx([n / FPS for n in range(8)])
    # As senders' without delay: a picture for each packet, and none of another profile.
    context = av.CodecContext.create("h264", "r")
    shown = [picture for frame in streams["H264"] for picture in context.decode(av.Packet(frame.data))]
    assert (context.width, context.height, context.profile) == (WIDTH, HEIGHT, "Constrained Baseline")
    assert shown
    found = decoding.measure(streams, 2)
    assert [(one.codec, one.rounds) for one in found] == [("VP8", 2), ("H264", 2)]
    assert all(0.0 < one.least <= one.milliseconds <= one.most for one in found)
    assert all(one.kilobits_per_second > 0.0 for one in found)
