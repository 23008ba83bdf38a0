"""What a WHIP client may offer, and what of it is believed. Pure text in, values out; only `SdpError` ever escapes.

An admitted offer is written anew from the parsed values, so that nothing reaches the WebRTC stack which is not named
here: one MediaStream with at most one audio and one video section (RFC 9725 section 4.4), bundled, multiplexed, sent to
us, with codecs that are decoded here and candidates that point where packets may be sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from monitor.tap.media.config import TapConfig
from monitor.tap.rtp.candidates import Candidate, parse_candidate, select
from monitor.types import TrackKind

SPOKEN = "VP8, H264 (packetization-mode 1, baseline) and Opus"
_EXTENSIONS = ("urn:ietf:params:rtp-hdrext:sdes:mid", "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time")
_FEEDBACK = ("nack", "nack pli", "goog-remb")
_HASHES = ("sha-256", "sha-384", "sha-512")
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
_MAX_LINE = 4096
_LINE = re.compile(r"[a-z]=[\x20-\x7e\x80-\U0010ffff\t]*")
_MEDIA = re.compile(r"(\w{1,16}) (\d{1,5})(?:/1)? ([A-Z/]{1,32}) (.+)", re.ASCII)
_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PWD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_MID = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]{1,32}")
_FINGERPRINT = re.compile(r"(\S{1,16}) ([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){19,63})", re.ASCII)
_RTPMAP = re.compile(r"(\d{1,3}) ([\w.\-]{1,32})/(\d{1,7})(?:/(\d))?", re.ASCII)
_EXTMAP = re.compile(r"(\d{1,5})(?:/\w+)? (\S{1,128})(?: .*)?", re.ASCII)
_SSRC = re.compile(r"(\d{1,10})(?: .*)?", re.ASCII)


class SdpError(Exception):
    """An offer or fragment is refused: HTTP `status`, `title` and a `detail` that says what to do (RFC 9457)."""

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail = status, title, detail


@dataclass(frozen=True, slots=True)
class Codec:
    """One payload type that is decoded here, or the retransmission (RFC 4588) of one."""

    payload: int
    name: str
    clock_rate: int
    channels: int | None = None
    parameters: str = ""
    feedback: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """One admitted media section."""

    kind: TrackKind
    mid: str
    codecs: tuple[Codec, ...]
    extensions: tuple[tuple[int, str], ...] = ()
    ssrcs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """An admitted offer; `sdp()` is the only text of it that goes on."""

    ufrag: str
    pwd: str
    fingerprints: tuple[tuple[str, str], ...]
    setup: str
    sections: tuple[Section, ...]
    candidates: tuple[Candidate, ...] = ()
    lite: bool = False

    @property
    def mid(self) -> str:
        """The section that carries the bundle's transport (RFC 9143 section 7.2)."""
        return self.sections[0].mid

    def sdp(self) -> str:
        """Write the offer anew; candidates are added one by one, as trickled ones are."""
        lines = ["v=0", "o=- 0 0 IN IP4 0.0.0.0", "s=-", "t=0 0"]
        lines.append("a=group:BUNDLE " + " ".join(s.mid for s in self.sections))
        lines += ["a=ice-lite"] if self.lite else []
        for section in self.sections:
            lines += self._section(section)
        return "\r\n".join([*lines, ""])

    def _section(self, section: Section) -> Iterator[str]:
        yield f"m={section.kind} 9 UDP/TLS/RTP/SAVPF {' '.join(str(c.payload) for c in section.codecs)}"
        yield "c=IN IP4 0.0.0.0"
        yield from (f"a=mid:{section.mid}", "a=sendonly", "a=rtcp-mux")
        yield from (f"a=ice-ufrag:{self.ufrag}", f"a=ice-pwd:{self.pwd}", f"a=setup:{self.setup}")
        yield from (f"a=fingerprint:{name} {value}" for name, value in self.fingerprints)
        yield from (f"a=extmap:{number} {uri}" for number, uri in section.extensions)
        for codec in section.codecs:
            channels = f"/{codec.channels}" if codec.channels else ""
            yield f"a=rtpmap:{codec.payload} {codec.name}/{codec.clock_rate}{channels}"
            if codec.parameters:
                yield f"a=fmtp:{codec.payload} {codec.parameters}"
            yield from (f"a=rtcp-fb:{codec.payload} {feedback}" for feedback in codec.feedback)
        if len(section.ssrcs) == 2:
            yield f"a=ssrc-group:FID {section.ssrcs[0]} {section.ssrcs[1]}"
        yield from (f"a=ssrc:{ssrc} cname:-" for ssrc in section.ssrcs)


@dataclass(frozen=True, slots=True)
class Fragment:
    """A trickle-ice-sdpfrag (RFC 8840): what may have changed, and candidates not yet judged."""

    ufrag: str | None
    pwd: str | None
    candidates: tuple[Candidate, ...]
    complete: bool = False


@dataclass(slots=True)
class _Block:
    """Attributes of the session or of one media section, in order."""

    media: str = ""
    attributes: list[tuple[str, str]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.attributes if key == name]

    def first(self, name: str) -> str | None:
        return next(iter(self.all(name)), None)

    def has(self, *names: str) -> bool:
        return any(key in names for key, _ in self.attributes)


def parse_offer(text: str, config: TapConfig) -> Offer:
    """Admit a WHIP offer or raise `SdpError`: 400 malformed, 413 too large, 422 well-formed and not supported here."""
    _check_size(text, config)
    blocks = _blocks(text)
    session, media = blocks[0], blocks[1:]
    if not text.startswith("v=0"):
        raise _malformed("an offer begins with v=0: send the SDP of an RTCPeerConnection")
    _check_media(media)
    sections = tuple(_section(block, session) for block in media)
    _check_bundle(session, sections)
    _check_stream(media)
    ufrag, pwd = _credentials(media[0], session)
    offered = [parsed for block in media for parsed in _candidates(block)]
    return Offer(
        ufrag=ufrag,
        pwd=pwd,
        fingerprints=_fingerprints(media[0], session),
        setup=_setup(media[0], session),
        sections=sections,
        candidates=select(offered, config),
        lite=session.has("ice-lite"),
    )


def parse_fragment(text: str, config: TapConfig) -> Fragment:
    """Read a trickle fragment or raise `SdpError`; what it does not understand it leaves out (RFC 8840 section 4.4)."""
    _check_size(text, config)
    blocks = _blocks(text)
    found = [value for block in blocks for value in _candidates(block)]
    ufrags = [value for block in blocks for value in block.all("ice-ufrag")]
    pwds = [value for block in blocks for value in block.all("ice-pwd")]
    complete = any(block.has("end-of-candidates") for block in blocks)
    return Fragment(ufrags[0] if ufrags else None, pwds[0] if pwds else None, tuple(found), complete)


def check_restart(offer: Offer, fragment: Fragment) -> None:
    """Raise `SdpError` 422 where a fragment restarts ICE by other credentials (RFC 9725 section 4.3.3)."""
    changed = fragment.ufrag not in (None, offer.ufrag) or fragment.pwd not in (None, offer.pwd)
    if changed:
        raise _unsupported("ICE restarts are not supported: end this session and publish again")


def _malformed(detail: str) -> SdpError:
    return SdpError(400, "malformed SDP", detail)


def _unsupported(detail: str) -> SdpError:
    return SdpError(422, "unsupported offer", detail)


def _check_size(text: str, config: TapConfig) -> None:
    if len(text.encode(errors="replace")) > config.max_sdp_bytes:
        raise SdpError(413, "SDP too large", f"the body is over {config.max_sdp_bytes} bytes: offer fewer codecs")


def _blocks(text: str) -> list[_Block]:
    """Split into the session block and one block a media section."""
    blocks = [_Block()]
    for line in text.replace("\r\n", "\n").removesuffix("\n").split("\n"):
        if len(line) > _MAX_LINE or not _LINE.fullmatch(line):
            raise _malformed("a line is not of the form letter=value: send unaltered SDP")
        if line.startswith("m="):
            blocks.append(_Block(line[2:]))
        elif line.startswith("a="):
            name, _, value = line[2:].partition(":")
            blocks[-1].attributes.append((name, value))
    return blocks


def _check_media(media: Sequence[_Block]) -> None:
    kinds = [block.media.partition(" ")[0] for block in media]
    if "application" in kinds:
        raise _unsupported("data channels are not accepted: offer audio and video only")
    if set(kinds) - {"audio", "video"}:
        raise _unsupported("only audio and video sections are accepted")
    if not kinds or len(kinds) != len(set(kinds)):
        raise _unsupported("offer at most one audio and one video section, and at least one of them")


def _check_bundle(session: _Block, sections: Sequence[Section]) -> None:
    mids = [section.mid for section in sections]
    if len(set(mids)) != len(mids):
        raise _malformed("two media sections have the same mid")
    groups = [group.split() for group in session.all("group")]
    bundles = [group[1:] for group in groups if group[:1] == ["BUNDLE"]]
    if len(mids) > 1 and (len(bundles) != 1 or set(bundles[0]) != set(mids)):
        raise _unsupported("all media must be in one BUNDLE group: set bundlePolicy to max-bundle")


def _check_stream(media: Sequence[_Block]) -> None:
    """Check that there is one MediaStream (RFC 9725 section 4.4.2); `-` stands for none (RFC 8830)."""
    names = {name.split(" ")[0] for block in media for name in block.all("msid")} - {"-"}
    if len(names) > 1:
        raise _unsupported("only one MediaStream is accepted: add both tracks to the same one")


def _section(block: _Block, session: _Block) -> Section:
    parts = _MEDIA.fullmatch(block.media)
    if parts is None:
        raise _malformed("a media line is garbled")
    kind: TrackKind = "audio" if parts[1] == "audio" else "video"
    if parts[2] == "0" and not block.has("bundle-only"):
        raise _unsupported(f"the {kind} section is rejected by its port 0: leave it out")
    if parts[3] not in ("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP"):
        raise _unsupported("media must be sent as UDP/TLS/RTP/SAVPF")
    if not block.has("rtcp-mux", "rtcp-mux-only"):
        raise _unsupported("RTCP must be multiplexed: set rtcpMuxPolicy to require")
    _check_direction(block, session)
    mid = block.first("mid")
    if mid is None or not _MID.fullmatch(mid):
        raise _malformed("a media section lacks a proper mid")
    codecs = _codecs(kind, parts[4].split(), block)
    return Section(kind, mid, codecs, _extensions(block), _ssrcs(block, codecs))


def _check_direction(block: _Block, session: _Block) -> None:
    found = [name for source in (block, session) for name, _ in source.attributes if name in _DIRECTIONS]
    if found and found[0] not in ("sendonly", "sendrecv"):
        raise _unsupported(f"a WHIP client sends media, this offer is {found[0]}: offer sendonly")


def _codecs(kind: TrackKind, payloads: Iterable[str], block: _Block) -> tuple[Codec, ...]:
    order = [int(p) for p in payloads if p.isascii() and p.isdigit() and len(p) <= 3 and int(p) < 128]
    known = dict(_rtpmap(block))
    chosen: list[Codec] = []
    for payload in dict.fromkeys(order):
        name, rate, channels = known.get(payload, ("", 0, None))
        codec = Codec(payload, name, rate, channels, _fmtp(block, payload), _feedback(block, payload))
        if _spoken(kind, codec):
            chosen.append(codec)
    repairs = [c for c in (_repair(block, p, known.get(p), chosen) for p in dict.fromkeys(order)) if c is not None]
    if not chosen:
        raise _unsupported(f"no {kind} codec of this offer is spoken here: offer {SPOKEN}")
    return (*chosen, *repairs)


def _rtpmap(block: _Block) -> Iterator[tuple[int, tuple[str, int, int | None]]]:
    for value in block.all("rtpmap"):
        parts = _RTPMAP.fullmatch(value)
        # 72 to 76 would be taken for RTCP (RFC 5761 section 4).
        if parts and not 72 <= int(parts[1]) <= 76:
            yield int(parts[1]), (parts[2], int(parts[3]), int(parts[4]) if parts[4] else None)


def _fmtp(block: _Block, payload: int) -> str:
    for value in block.all("fmtp"):
        number, _, parameters = value.partition(" ")
        if number == str(payload) and re.fullmatch(r"[\w=;,+\-/. ]{1,256}", parameters, re.ASCII):
            return parameters
    return ""


def _feedback(block: _Block, payload: int) -> tuple[str, ...]:
    values = [value.partition(" ") for value in block.all("rtcp-fb")]
    found = [what for number, _, what in values if number in (str(payload), "*")]
    return tuple(what for what in _FEEDBACK if what in found)


def _spoken(kind: TrackKind, codec: Codec) -> bool:
    name = codec.name.lower()
    if kind == "audio":
        return (name, codec.clock_rate, codec.channels) == ("opus", 48_000, 2)
    if (name, codec.clock_rate) == ("h264", 90_000):
        wanted = dict(part.strip().partition("=")[::2] for part in codec.parameters.split(";"))
        profile = wanted.get("profile-level-id", "42e01f").lower()
        return wanted.get("packetization-mode") == "1" and re.fullmatch(r"42[0-9a-f]{4}", profile) is not None
    return (name, codec.clock_rate) == ("vp8", 90_000)


def _repair(
    block: _Block, payload: int, known: tuple[str, int, int | None] | None, chosen: Sequence[Codec]
) -> Codec | None:
    """Read a retransmission payload of a chosen codec (RFC 4588 section 8.6)."""
    if known is None or known[0].lower() != "rtx":
        return None
    apt = re.fullmatch(r"apt=(\d{1,3})(?:;.*)?", _fmtp(block, payload))
    target = next((c for c in chosen if apt and c.payload == int(apt[1])), None)
    return Codec(payload, "rtx", known[1], None, f"apt={target.payload}") if target else None


def _extensions(block: _Block) -> tuple[tuple[int, str], ...]:
    found = [_EXTMAP.fullmatch(value) for value in block.all("extmap")]
    # One-byte headers hold the numbers 1 to 14 (RFC 8285 section 4.2).
    return tuple((int(p[1]), p[2]) for p in found if p and p[2] in _EXTENSIONS and 1 <= int(p[1]) <= 14)


def _ssrcs(block: _Block, codecs: Sequence[Codec]) -> tuple[int, ...]:
    """Read the SSRC of the media and, where it is retransmitted, that of the repair flow."""
    found = [_SSRC.fullmatch(value) for value in block.all("ssrc")]
    numbers = list(dict.fromkeys(int(p[1]) for p in found if p and int(p[1]) < 1 << 32))
    pairs = [group.split()[1:3] for group in block.all("ssrc-group") if group.startswith("FID ")]
    repaired = any(codec.name == "rtx" for codec in codecs)
    for pair in pairs if repaired else []:
        if [number for number in numbers if str(number) in pair] and len(pair) == 2 and pair[0] != pair[1]:
            both = tuple(number for text in pair for number in numbers if str(number) == text)
            if len(both) == 2:
                return both
    return tuple(numbers[:1])


def _credentials(block: _Block, session: _Block) -> tuple[str, str]:
    ufrag = block.first("ice-ufrag") or session.first("ice-ufrag") or ""
    pwd = block.first("ice-pwd") or session.first("ice-pwd") or ""
    if not _UFRAG.fullmatch(ufrag) or not _PWD.fullmatch(pwd):
        raise _malformed("ice-ufrag or ice-pwd is missing or garbled")
    return ufrag, pwd


def _fingerprints(block: _Block, session: _Block) -> tuple[tuple[str, str], ...]:
    values = block.all("fingerprint") or session.all("fingerprint")
    found = [_FINGERPRINT.fullmatch(value) for value in values[:8]]
    known = tuple((p[1].lower(), p[2].upper()) for p in found if p and p[1].lower() in _HASHES)
    if not known:
        raise _malformed("a DTLS fingerprint with SHA-256 or stronger is missing")
    return known


def _setup(block: _Block, session: _Block) -> str:
    setup = block.first("setup") or session.first("setup")
    if setup not in ("actpass", "active", "passive"):
        raise _malformed("the setup attribute must be actpass")
    return setup


def _candidates(block: _Block) -> Iterator[Candidate]:
    """Read at most 64 candidates; what cannot be read is left out, as RFC 8839 section 5.1 asks."""
    for value in block.all("candidate")[:64]:
        candidate = parse_candidate(value)
        if candidate is not None:
            yield candidate
