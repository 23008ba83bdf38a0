"""Pictures through a real video codec, in memory: what every distortion that codes pictures does them in."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from monitor.types import ByteArray

# Encoders, and the decoder that reads what each writes.
DECODERS: Mapping[str, str] = {"libx264": "h264", "libvpx": "vp8"}

Planes = tuple[NDArray[Any], ByteArray, ByteArray]


def open_encoder(
    codec: str, size: tuple[int, int], time_base: Fraction, fps: int, options: Mapping[str, str]
) -> VideoCodecContext:
    """Open an encoder of one thread for 4:2:0 pictures of `size`, (width, height), which must be even."""
    encoder = cast(VideoCodecContext, av.CodecContext.create(codec, "w"))
    encoder.width, encoder.height = size
    encoder.pix_fmt, encoder.time_base, encoder.framerate = "yuv420p", time_base, Fraction(fps)
    encoder.thread_count, encoder.options = 1, dict(options)
    return encoder


def open_decoder(codec: str) -> VideoCodecContext:
    """Open a decoder of one thread for what the encoder `codec` writes."""
    decoder = cast(VideoCodecContext, av.CodecContext.create(DECODERS[codec], "r"))
    decoder.thread_count = 1
    return decoder


def to_codec_frame(planes: Planes, size: tuple[int, int]) -> av.VideoFrame:
    """Copy 4:2:0 planes, clipped to bytes, into a frame of `size`; larger planes are cut, smaller ones continued."""
    frame = av.VideoFrame(*size, "yuv420p")
    for plane, values in zip(frame.planes, planes, strict=True):
        visible = np.clip(values[: plane.height, : plane.width], 0, 255).astype(np.uint8)
        missing = plane.height - visible.shape[0], plane.line_size - visible.shape[1]
        plane.update(np.pad(visible, ((0, missing[0]), (0, missing[1])), "edge").tobytes())
    return frame
