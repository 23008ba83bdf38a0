"""The SDP of a plain RTP session (RFC 8866): ports, payload types, SSRCs and keys of one sender. Pure.

Only `SdpError` ever escapes, whatever the text holds.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from monitor.tap.media.config import TapConfig
from monitor.tap.rtp.sdp import Codec, SdpError
from monitor.tap.rtp.sdp_codecs import choose_codecs
from monitor.tap.rtp.sdp_lines import Block, malformed, split_blocks, unsupported
from monitor.types import TrackKind

_MEDIA = re.compile(r"(audio|video) (\d{1,5})(?:/1)? (RTP/S?AVPF?) (.+)", re.ASCII)
_RTCP = re.compile(r"(\d{1,5})(?: IN IP[46] \S{1,64})?", re.ASCII)
_SSRC = re.compile(r"(\d{1,10})(?: .*)?", re.ASCII)
# RFC 4568 section 9.1, with one key that is never changed.
_CRYPTO = re.compile(r"\d{1,9} (AES_CM_128_HMAC_SHA1_(?:80|32)) inline:([A-Za-z0-9+/=]{40})(?:\|.*)?", re.ASCII)
_MAX_SSRC = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class PlainTrack:
    """One track: where its packets come, in which codecs, and how they are protected.

    `rtcp_port` is `port` where both are multiplexed (RFC 5761). `ssrc` is None for whatever comes, `key` holds key and
    salt (30 bytes) of SRTP with the profile of that name, and is empty where nothing is protected.
    """

    kind: TrackKind
    port: int
    rtcp_port: int
    codecs: tuple[Codec, ...]
    ssrc: int | None = None
    profile: str = ""
    key: bytes = b""


def parse_session(text: str, config: TapConfig) -> tuple[PlainTrack, ...]:
    """Read the tracks of a session: at most one of sound and one of pictures; raises `SdpError`."""
    if len(text.encode(errors="replace")) > config.max_sdp_bytes:
        raise SdpError(413, "SDP too large", f"the SDP is over {config.max_sdp_bytes} bytes")
    if not text.startswith("v=0"):
        raise malformed("an SDP begins with v=0")
    blocks = split_blocks(text)
    tracks = tuple(_track(block, blocks[0]) for block in blocks[1:] if not block.media.startswith("application "))
    if not tracks or len({track.kind for track in tracks}) != len(tracks):
        raise unsupported("there must be one audio and one video section, or one of them")
    ports = [port for track in tracks for port in {track.port, track.rtcp_port}]
    if len(set(ports)) != len(ports):
        raise unsupported("two tracks share a port: give each its own")
    return tracks


def _track(block: Block, session: Block) -> PlainTrack:
    parts = _MEDIA.fullmatch(block.media)
    if parts is None:
        raise unsupported("media must be audio or video over RTP/AVP, RTP/AVPF, RTP/SAVP or RTP/SAVPF")
    kind: TrackKind = "audio" if parts[1] == "audio" else "video"
    port = int(parts[2])
    rtcp = _RTCP.fullmatch(block.first("rtcp") or "")
    rtcp_port = port if block.has("rtcp-mux") else int(rtcp[1]) if rtcp else port + 1
    if not 1024 <= port <= 65535 or not 1024 <= rtcp_port <= 65535:
        raise unsupported("ports are 1024 to 65535, those of RTCP too")
    profile, key = _protection(block, session, is_secure="SAVP" in parts[3])
    ssrcs = [int(p[1]) for p in map(_SSRC.fullmatch, block.all("ssrc")) if p and int(p[1]) <= _MAX_SSRC]
    codecs = choose_codecs(kind, parts[4].split(), block)
    return PlainTrack(kind, port, rtcp_port, codecs, ssrcs[0] if ssrcs else None, profile, key)


def _protection(block: Block, session: Block, *, is_secure: bool) -> tuple[str, bytes]:
    if not is_secure:
        return "", b""
    for value in (*block.all("crypto"), *session.all("crypto")):
        parts = _CRYPTO.fullmatch(value)
        if parts is not None:
            try:
                key = base64.b64decode(parts[2], validate=True)
            except binascii.Error:
                continue
            if len(key) == 30:
                return parts[1], key
    raise unsupported("SRTP needs a=crypto with AES_CM_128_HMAC_SHA1_80 or _32 and an inline key of 30 bytes")
