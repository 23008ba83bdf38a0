"""What each packet is asked of its codec, looked up once when the codecs are agreed on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from aiortc.codecs import depayload, is_rtx
from aiortc.rtcrtpparameters import RTCRtpCodecParameters


@dataclass(frozen=True, slots=True)
class Codec:
    """One payload type: `depayload` strips what RTP added, `repairs` is what a retransmission stands for."""

    name: str
    rate: int
    depayload: Callable[[bytes], bytes]
    repairs: int | None = None

    @classmethod
    def of(cls, codec: RTCRtpCodecParameters) -> Codec:
        """Read what was agreed on."""
        repairs = int(str(codec.parameters["apt"])) if is_rtx(codec) else None
        return cls(codec.name, codec.clockRate, vp8 if codec.name == "VP8" else partial(depayload, codec), repairs)


def vp8(payload: bytes) -> bytes:
    """Strip the payload descriptor of VP8 (RFC 7741 section 4.2); raises `ValueError` when it is cut off."""
    at = 1
    if payload and payload[0] & 0x80:
        flags, at = payload[1] if len(payload) > 1 else 0, 2
        if flags & 0x80:
            at += 2 if len(payload) > at and payload[at] & 0x80 else 1
        at += bool(flags & 0x40) + bool(flags & 0x30)
    if len(payload) < at:
        raise ValueError("a VP8 payload descriptor is cut off")
    return payload[at:]
