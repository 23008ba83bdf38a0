"""SDP offers and trickle fragments of WHIP clients, and answers to offers of ours. Pure: text in, values out.

Only `SdpError` ever escapes, whatever the text holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from monitor.tap.media.config import TapConfig
from monitor.tap.rtp.candidates import Candidate, parse_candidate, select
from monitor.tap.rtp.sdp import Codec, Fragment, Offer, SdpError, Section
from monitor.tap.rtp.sdp_codecs import choose_codecs
from monitor.tap.rtp.sdp_lines import Block, malformed, split_blocks, unsupported
from monitor.types import TrackKind

_EXTENSIONS = ("urn:ietf:params:rtp-hdrext:sdes:mid", "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time")
_HASHES = ("sha-256", "sha-384", "sha-512")
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
_MEDIA = re.compile(r"(\w{1,16}) (\d{1,5})(?:/1)? ([A-Z/]{1,32}) (.+)", re.ASCII)
_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PWD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_MID = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]{1,32}")
_FINGERPRINT = re.compile(r"(\S{1,16}) ([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){19,63})", re.ASCII)
_EXTMAP = re.compile(r"(\d{1,5})(?:/\w+)? (\S{1,128})(?: .*)?", re.ASCII)
_SSRC = re.compile(r"(\d{1,10})(?: .*)?", re.ASCII)
_FID = re.compile(r"FID (\d{1,10}) (\d{1,10})(?: .*)?", re.ASCII)
_MAX_SSRC = (1 << 32) - 1


def parse_offer(text: str, config: TapConfig) -> Offer:
    """Admit a WHIP offer or raise `SdpError`: 400 malformed, 413 too large, 422 well-formed and not supported here."""
    _check_size(text, config)
    blocks = split_blocks(text)
    session, media = blocks[0], blocks[1:]
    if not text.startswith("v=0"):
        raise malformed("an offer begins with v=0: send the SDP of an RTCPeerConnection")
    _check_media(media)
    sections = tuple(_parse_section(block, session) for block in media)
    _check_bundle(session, sections)
    _check_stream(media)
    ufrag, pwd = _parse_credentials(media[0], session)
    offered = [parsed for block in media for parsed in _parse_candidates(block)]
    return Offer(
        ufrag=ufrag,
        pwd=pwd,
        fingerprints=_parse_fingerprints(media[0], session),
        setup=_parse_setup(media[0], session),
        sections=sections,
        candidates=select(offered, config),
        lite=session.has("ice-lite"),
    )


def parse_answer(text: str, kinds: Sequence[TrackKind], config: TapConfig) -> Offer:
    """Admit the answer to an offer of ours to receive media of these kinds, in this order, or raise `SdpError`.

    It has a section for each (RFC 3264 section 6), which it may reject by the port 0 or by sending nothing, but not all
    of them; what it sends is bundled (RFC 9143).
    """
    _check_size(text, config)
    blocks = split_blocks(text)
    session, media = blocks[0], blocks[1:]
    if not text.startswith("v=0"):
        raise malformed("an answer begins with v=0")
    if [block.media.partition(" ")[0] for block in media] != list(kinds):
        raise malformed("the answer has not the media sections of the offer")
    sent = [block for block in media if not _is_rejected(block, session)]
    if not sent:
        raise unsupported("neither sound nor pictures are sent")
    _check_bundle(session, [_parse_section(block, session) for block in sent])
    ufrag, pwd = _parse_credentials(sent[0], session)
    return Offer(
        ufrag=ufrag,
        pwd=pwd,
        fingerprints=_parse_fingerprints(sent[0], session),
        setup=_parse_role(sent[0], session),
        sections=tuple(
            _parse_section(block, session) if block in sent else _rejected_section(number, kind)
            for number, (block, kind) in enumerate(zip(media, kinds, strict=True))
        ),
        candidates=select([parsed for block in sent for parsed in _parse_candidates(block)], config),
        lite=session.has("ice-lite"),
    )


def parse_fragment(text: str, config: TapConfig) -> Fragment:
    """Parse a trickle fragment or raise `SdpError`; unknown attributes are skipped (RFC 8840 section 4.4)."""
    _check_size(text, config)
    blocks = split_blocks(text)
    candidates = [value for block in blocks for value in _parse_candidates(block)]
    ufrags = [value for block in blocks for value in block.all("ice-ufrag")]
    pwds = [value for block in blocks for value in block.all("ice-pwd")]
    complete = any(block.has("end-of-candidates") for block in blocks)
    return Fragment(ufrags[0] if ufrags else None, pwds[0] if pwds else None, tuple(candidates), complete)


def check_restart(offer: Offer, fragment: Fragment) -> None:
    """Raise `SdpError` 422 where a fragment restarts ICE by other credentials (RFC 9725 section 4.3.3)."""
    changed = fragment.ufrag not in (None, offer.ufrag) or fragment.pwd not in (None, offer.pwd)
    if changed:
        raise unsupported("ICE restarts are not supported: end this session and publish again")


def _check_size(text: str, config: TapConfig) -> None:
    if len(text.encode(errors="replace")) > config.max_sdp_bytes:
        raise SdpError(413, "SDP too large", f"the body is over {config.max_sdp_bytes} bytes: offer fewer codecs")


def _check_media(media: Sequence[Block]) -> None:
    kinds = [block.media.partition(" ")[0] for block in media]
    if "application" in kinds:
        raise unsupported("data channels are not accepted: offer audio and video only")
    if set(kinds) - {"audio", "video"}:
        raise unsupported("only audio and video sections are accepted")
    if not kinds or len(kinds) != len(set(kinds)):
        raise unsupported("offer at most one audio and one video section, and at least one of them")


def _check_bundle(session: Block, sections: Sequence[Section]) -> None:
    mids = [section.mid for section in sections]
    if len(set(mids)) != len(mids):
        raise malformed("two media sections have the same mid")
    groups = [group.split() for group in session.all("group")]
    bundles = [group[1:] for group in groups if group[:1] == ["BUNDLE"]]
    if len(mids) > 1 and (len(bundles) != 1 or set(bundles[0]) != set(mids)):
        raise unsupported("all media must be in one BUNDLE group: set bundlePolicy to max-bundle")


def _check_stream(media: Sequence[Block]) -> None:
    """Check that there is one MediaStream (RFC 9725 section 4.4.2); `-` stands for none (RFC 8830)."""
    names = {name.split(" ")[0] for block in media for name in block.all("msid")} - {"-"}
    if len(names) > 1:
        raise unsupported("only one MediaStream is accepted: add both tracks to the same one")


def _parse_section(block: Block, session: Block) -> Section:
    parts = _MEDIA.fullmatch(block.media)
    if parts is None:
        raise malformed("a media line is garbled")
    kind: TrackKind = "audio" if parts[1] == "audio" else "video"
    if parts[2] == "0" and not block.has("bundle-only"):
        raise unsupported(f"the {kind} section is rejected by its port 0: leave it out")
    if parts[3] not in ("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP"):
        raise unsupported("media must be sent as UDP/TLS/RTP/SAVPF")
    if not block.has("rtcp-mux", "rtcp-mux-only"):
        raise unsupported("RTCP must be multiplexed: set rtcpMuxPolicy to require")
    _check_direction(block, session)
    mid = block.first("mid")
    if mid is None or not _MID.fullmatch(mid):
        raise malformed("a media section lacks a proper mid")
    codecs = choose_codecs(kind, parts[4].split(), block)
    return Section(kind, mid, codecs, _parse_extensions(block), _parse_ssrcs(block, codecs))


def _check_direction(block: Block, session: Block) -> None:
    direction = _direction(block, session)
    if direction not in ("sendonly", "sendrecv"):
        raise unsupported(f"a WHIP client sends media, this offer is {direction}: offer sendonly")


def _direction(block: Block, session: Block) -> str:
    """Return the direction of a section; without one it is both (RFC 8866 section 6.7)."""
    directions = [name for source in (block, session) for name, _ in source.attributes if name in _DIRECTIONS]
    return directions[0] if directions else "sendrecv"


def _is_rejected(block: Block, session: Block) -> bool:
    parts = _MEDIA.fullmatch(block.media)
    if parts is None:
        raise malformed("a media line is garbled")
    return parts[2] == "0" or _direction(block, session) in ("recvonly", "inactive")


def _rejected_section(number: int, kind: TrackKind) -> Section:
    codec = Codec(111, "opus", 48_000, 2) if kind == "audio" else Codec(96, "VP8", 90_000)
    # The number stands for the name that our own offer gave it.
    return Section(kind, str(number), (codec,), rejected=True)


def _parse_extensions(block: Block) -> tuple[tuple[int, str], ...]:
    parsed = [_EXTMAP.fullmatch(value) for value in block.all("extmap")]
    # One-byte headers hold the numbers 1 to 14 (RFC 8285 section 4.2).
    return tuple((int(p[1]), p[2]) for p in parsed if p and p[2] in _EXTENSIONS and 1 <= int(p[1]) <= 14)


def _parse_ssrcs(block: Block, codecs: Sequence[Codec]) -> tuple[int, ...]:
    """Parse the SSRC of the media and, where it is retransmitted, that of the repair flow (RFC 4588 section 8.2).

    A flow counts as named where only a group names it (RFC 5576 section 4.2): FFmpeg leaves its own lines out.
    """
    named = [int(p[1]) for p in map(_SSRC.fullmatch, block.all("ssrc")) if p and int(p[1]) <= _MAX_SSRC]
    groups = [(int(p[1]), int(p[2])) for p in map(_FID.fullmatch, block.all("ssrc-group")) if p]
    flows = [flow for flow in groups if flow[0] != flow[1] and max(flow) <= _MAX_SSRC]
    if flows and any(codec.name == "rtx" for codec in codecs):
        return flows[0]
    return tuple(named[:1] or [flow[0] for flow in flows[:1]])


def _parse_credentials(block: Block, session: Block) -> tuple[str, str]:
    ufrag = block.first("ice-ufrag") or session.first("ice-ufrag") or ""
    pwd = block.first("ice-pwd") or session.first("ice-pwd") or ""
    if not _UFRAG.fullmatch(ufrag) or not _PWD.fullmatch(pwd):
        raise malformed("ice-ufrag or ice-pwd is missing or garbled")
    return ufrag, pwd


def _parse_fingerprints(block: Block, session: Block) -> tuple[tuple[str, str], ...]:
    values = block.all("fingerprint") or session.all("fingerprint")
    parsed = [_FINGERPRINT.fullmatch(value) for value in values[:8]]
    accepted = tuple((p[1].lower(), p[2].upper()) for p in parsed if p and p[1].lower() in _HASHES)
    if not accepted:
        raise malformed("a DTLS fingerprint with SHA-256 or stronger is missing")
    return accepted


def _parse_setup(block: Block, session: Block) -> str:
    setup = block.first("setup") or session.first("setup")
    if setup not in ("actpass", "active", "passive"):
        raise malformed("the setup attribute must be actpass")
    return setup


def _parse_role(block: Block, session: Block) -> str:
    """Parse who begins the DTLS handshake; whoever answers has to choose (RFC 8842 section 5.3)."""
    setup = block.first("setup") or session.first("setup")
    if setup not in ("active", "passive"):
        raise malformed("the setup attribute of an answer must be active or passive")
    return setup


def _parse_candidates(block: Block) -> Iterator[Candidate]:
    """Parse at most 64 candidates; what cannot be parsed is skipped, as RFC 8839 section 5.1 asks."""
    for value in block.all("candidate")[:64]:
        candidate = parse_candidate(value)
        if candidate is not None:
            yield candidate
