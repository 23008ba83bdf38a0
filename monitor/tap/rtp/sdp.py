"""What of a WHIP offer is admitted, and the text that is written from it. Pure values.

An admitted offer is written anew from the parsed values, so that nothing reaches the WebRTC stack which is not named
here: one MediaStream with at most one audio and one video section (RFC 9725 section 4.4), bundled, multiplexed, sent to
us, with codecs that are decoded here and candidates that point where packets may be sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from monitor.tap.rtp.candidates import Candidate
from monitor.types import TrackKind


class SdpError(Exception):
    """An offer or fragment is refused: HTTP `status`, `title` and a `detail` that says what to do (RFC 9457)."""

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail = status, title, detail


@dataclass(frozen=True, slots=True)
class Codec:
    """One payload type that is decoded here, or the retransmission (RFC 4588) of one; `clock_rate` is in Hz."""

    payload: int
    name: str
    clock_rate: int
    channels: int | None = None
    parameters: str = ""
    feedback: tuple[str, ...] = ()


# The one H.264 format that the WebRTC stack knows, in the place of those that it would refuse; the answer's is our own.
_STAND_IN = "packetization-mode=1;profile-level-id=42e01f"


@dataclass(frozen=True, slots=True)
class Section:
    """One admitted media section; `extensions` are (number, URI), `ssrcs` the media's and the retransmission's.

    Of an answer it may be `rejected`: then nothing comes by it, and its codecs only fill the place.
    """

    kind: TrackKind
    mid: str
    codecs: tuple[Codec, ...]
    extensions: tuple[tuple[int, str], ...] = ()
    ssrcs: tuple[int, ...] = ()
    rejected: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """An admitted offer, or answer to one of ours; `sdp()` is the only text of it that reaches the WebRTC stack."""

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
        return next(section.mid for section in self.sections if not section.rejected)

    def for_the_stack(self) -> Offer:
        """Give the offer with every format of H.264 as one that the WebRTC stack does not refuse."""
        return replace(self, sections=tuple(replace(s, codecs=tuple(map(_known, s.codecs))) for s in self.sections))

    def sdp(self) -> str:
        """Render the offer anew, without its candidates: they are added one by one, as trickled ones are."""
        lines = ["v=0", "o=- 0 0 IN IP4 0.0.0.0", "s=-", "t=0 0"]
        lines.append("a=group:BUNDLE " + " ".join(s.mid for s in self.sections if not s.rejected))
        lines += ["a=ice-lite"] if self.lite else []
        for section in self.sections:
            lines += self._section(section)
        return "\r\n".join([*lines, ""])

    def _section(self, section: Section) -> Iterator[str]:
        port, direction = (0, "inactive") if section.rejected else (9, "sendonly")
        yield f"m={section.kind} {port} UDP/TLS/RTP/SAVPF {' '.join(str(c.payload) for c in section.codecs)}"
        yield "c=IN IP4 0.0.0.0"
        yield from (f"a=mid:{section.mid}", f"a={direction}", "a=rtcp-mux")
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


def _known(codec: Codec) -> Codec:
    return replace(codec, parameters=_STAND_IN) if codec.name.lower() == "h264" else codec


@dataclass(frozen=True, slots=True)
class Fragment:
    """A trickle-ice-sdpfrag (RFC 8840): credentials that may have changed, and candidates not yet checked."""

    ufrag: str | None
    pwd: str | None
    candidates: tuple[Candidate, ...]
    complete: bool = False
