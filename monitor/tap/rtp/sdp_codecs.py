"""Which codecs of an offer are decoded here, with their feedback and retransmission. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from monitor.tap.rtp.h264_format import parse_format
from monitor.tap.rtp.sdp import Codec
from monitor.tap.rtp.sdp_lines import Block, unsupported
from monitor.types import TrackKind

SUPPORTED_CODECS = "VP8, H264 (baseline, main or high profile, packetization-mode 0 or 1) and Opus"
_FEEDBACK = ("nack", "nack pli", "goog-remb")
_RTPMAP = re.compile(r"(\d{1,3}) ([\w.\-]{1,32})/(\d{1,7})(?:/(\d))?", re.ASCII)


def choose_codecs(kind: TrackKind, payloads: Iterable[str], block: Block) -> tuple[Codec, ...]:
    """Choose the codecs of one media section, in the order of its `payloads`, and their retransmissions after them.

    Where H.264 is offered in several profiles, they change places so that the simplest comes first. Raises `SdpError`
    422 where there is none that is decoded here.
    """
    offered = [int(p) for p in payloads if p.isascii() and p.isdigit() and len(p) <= 3 and int(p) < 128]
    rtpmaps = dict(_parse_rtpmaps(block))
    chosen: list[Codec] = []
    for payload in dict.fromkeys(offered):
        name, rate, channels = rtpmaps.get(payload, ("", 0, None))
        codec = Codec(payload, name, rate, channels, _fmtp(block, payload), _feedback(block, payload))
        if _is_supported(kind, codec):
            chosen.append(codec)
    candidates = (_retransmission(block, payload, rtpmaps.get(payload), chosen) for payload in dict.fromkeys(offered))
    retransmissions = [codec for codec in candidates if codec is not None]
    if not chosen:
        raise unsupported(f"no {kind} codec of this offer is spoken here: offer {SUPPORTED_CODECS}")
    return (*_simplest_profile_first(chosen), *retransmissions)


def _parse_rtpmaps(block: Block) -> Iterator[tuple[int, tuple[str, int, int | None]]]:
    """Yield name, clock rate and channels by payload type (RFC 8866 section 6.6)."""
    for value in block.all("rtpmap"):
        parts = _RTPMAP.fullmatch(value)
        # 72 to 76 would be taken for RTCP (RFC 5761 section 4).
        if parts and not 72 <= int(parts[1]) <= 76:
            yield int(parts[1]), (parts[2], int(parts[3]), int(parts[4]) if parts[4] else None)


def _fmtp(block: Block, payload: int) -> str:
    """Find the format parameters of a payload type; empty where there are none, or none that are plain text."""
    for value in block.all("fmtp"):
        number, _, parameters = value.partition(" ")
        if number == str(payload) and re.fullmatch(r"[\w=;,+\-/. ]{1,2048}", parameters, re.ASCII):
            return parameters
    return ""


def _feedback(block: Block, payload: int) -> tuple[str, ...]:
    """Which of the feedback messages that are sent here a payload type is offered with (RFC 4585 section 4.2)."""
    values = [value.partition(" ") for value in block.all("rtcp-fb")]
    offered = [message for number, _, message in values if number in (str(payload), "*")]
    return tuple(message for message in _FEEDBACK if message in offered)


def _is_supported(kind: TrackKind, codec: Codec) -> bool:
    name = codec.name.lower()
    if kind == "audio":
        return (name, codec.clock_rate, codec.channels) == ("opus", 48_000, 2)
    if (name, codec.clock_rate) == ("h264", 90_000):
        return parse_format(codec.parameters) is not None
    return (name, codec.clock_rate) == ("vp8", 90_000)


def _simplest_profile_first(chosen: Sequence[Codec]) -> list[Codec]:
    """Order the formats of H.264 among themselves, each codec in the places that it has."""
    formats = {codec.payload: parse_format(codec.parameters) for codec in chosen if codec.name.lower() == "h264"}
    ranks = {payload: parsed.rank for payload, parsed in formats.items() if parsed is not None}
    ordered = iter(sorted((c for c in chosen if c.payload in ranks), key=lambda codec: ranks[codec.payload]))
    return [next(ordered) if codec.payload in ranks else codec for codec in chosen]


def _retransmission(
    block: Block, payload: int, rtpmap: tuple[str, int, int | None] | None, chosen: Sequence[Codec]
) -> Codec | None:
    """Read a retransmission payload of a chosen codec (RFC 4588 section 8.6)."""
    if rtpmap is None or rtpmap[0].lower() != "rtx":
        return None
    apt = re.fullmatch(r"apt=(\d{1,3})(?:;.*)?", _fmtp(block, payload))
    target = next((c for c in chosen if apt and c.payload == int(apt[1])), None)
    return Codec(payload, "rtx", rtpmap[1], None, f"apt={target.payload}") if target else None
