"""Payload formats by payload type, looked up once when the codecs have been negotiated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from aiortc.codecs import depayload, is_rtx
from aiortc.rtcrtpparameters import RTCRtpCodecParameters

from monitor.tap.media.parameter_sets import ParameterSets


@dataclass(frozen=True, slots=True)
class PayloadFormat:
    """One payload type: `depayload` strips the payload descriptor, `apt` is the type that a retransmission repeats.

    `apt` is the associated payload type of RFC 4588 section 8.1; None for media. `parameter_sets` are those of H264
    that the offer gave.
    """

    name: str
    clock_rate: int
    depayload: Callable[[bytes], bytes]
    apt: int | None = None
    parameter_sets: ParameterSets = field(default_factory=ParameterSets)

    @classmethod
    def of(cls, codec: RTCRtpCodecParameters, parameter_sets: ParameterSets | None = None) -> PayloadFormat:
        """Make the format of a negotiated codec."""
        apt = int(str(codec.parameters["apt"])) if is_rtx(codec) else None
        depayloader = depayload_vp8 if codec.name == "VP8" else partial(depayload, codec)
        return cls(codec.name, codec.clockRate, depayloader, apt, parameter_sets or ParameterSets())


def depayload_vp8(payload: bytes) -> bytes:
    """Strip the payload descriptor of VP8 (RFC 7741 section 4.2); raises `ValueError` when it is cut off."""
    offset = 1
    if payload and payload[0] & 0x80:
        flags, offset = payload[1] if len(payload) > 1 else 0, 2
        if flags & 0x80:
            offset += 2 if len(payload) > offset and payload[offset] & 0x80 else 1
        offset += bool(flags & 0x40) + bool(flags & 0x30)
    if len(payload) < offset:
        raise ValueError("a VP8 payload descriptor is cut off")
    return payload[offset:]
