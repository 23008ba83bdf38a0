"""The WHIP policy: what is admitted, what is refused with which status, and that nothing else ever happens."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.tap.media.config import TapConfig
from monitor.tap.rtp.sdp import Offer, SdpError
from monitor.tap.rtp.sdp_parser import check_restart, parse_answer, parse_fragment, parse_offer
from monitor.types import TrackKind
from tests.examples_count import examples

CONFIG = TapConfig()
UFRAG, PWD = "aB3/", "abcdefghijklmnopqrstuv12"
PRINT = ":".join(["AB"] * 32)

AUDIO = f"""m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:{UFRAG}
a=ice-pwd:{PWD}
a=ice-options:trickle
a=fingerprint:sha-256 {PRINT}
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=sendonly
a=msid:stream-1 track-a
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=rtpmap:9 G722/8000
a=ssrc:1001 cname:x
"""
VIDEO = f"""m=video 9 UDP/TLS/RTP/SAVPF 96 97 103 104 98 74
c=IN IP4 0.0.0.0
a=ice-ufrag:{UFRAG}
a=ice-pwd:{PWD}
a=fingerprint:sha-256 {PRINT}
a=setup:actpass
a=mid:1
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:15 urn:ietf:params:rtp-hdrext:sdes:mid
a=sendrecv
a=msid:stream-1 track-v
a=rtcp-mux
a=rtcp-rsize
a=candidate:1 1 udp 2130706431 93.184.216.34 50000 typ host
a=candidate:2 1 udp 2130706431 10.0.0.1 50000 typ host
a=candidate:garbage
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 nack
a=rtcp-fb:* nack pli
a=rtcp-fb:96 transport-cc
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:103 H264/90000
a=fmtp:103 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f
a=rtpmap:104 rtx/90000
a=fmtp:104 apt=98
a=rtpmap:98 VP9/90000
a=rtpmap:74 VP8/90000
a=ssrc-group:FID 2001 2002
a=ssrc:2001 cname:x
a=ssrc:2002 cname:x
"""
SESSION = "v=0\no=- 1 2 IN IP4 127.0.0.1\ns=-\nt=0 0\na=group:BUNDLE 0 1\na=msid-semantic: WMS stream-1\n"
OFFER = SESSION + AUDIO + VIDEO
ANSWER = OFFER.replace("a=setup:actpass", "a=setup:passive")


def admit(text: str) -> Offer:
    return parse_offer(text.replace("\n", "\r\n"), CONFIG)


def refused(text: str) -> SdpError:
    with pytest.raises(SdpError) as caught:
        admit(text)
    assert "\n" not in caught.value.detail
    assert caught.value.title
    return caught.value


def test_a_browsers_offer_is_admitted_and_only_what_is_spoken_goes_on() -> None:
    offer = admit(OFFER)
    assert [s.kind for s in offer.sections] == ["audio", "video"]
    assert (offer.mid, offer.ufrag, offer.pwd, offer.setup) == ("0", UFRAG, PWD, "actpass")
    assert [c.name for c in offer.sections[0].codecs] == ["opus"]
    assert [(c.payload, c.name) for c in offer.sections[1].codecs] == [(96, "VP8"), (103, "H264"), (97, "rtx")]
    assert offer.sections[1].codecs[0].feedback == ("nack", "nack pli")
    assert (offer.sections[0].ssrcs, offer.sections[1].ssrcs) == ((1001,), (2001, 2002))
    assert [c.host for c in offer.candidates] == ["93.184.216.34"]
    text = offer.sdp()
    assert "a=fmtp:103 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f\r\n" in text
    assert "a=ssrc-group:FID 2001 2002\r\n" in text
    assert "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n" in text
    for left_out in ("candidate", "VP9", "G722", "extmap:15", "transport-cc", "track-a", "rtpmap:74"):
        assert left_out not in text


def test_what_was_written_is_admitted_again_unchanged() -> None:
    once = parse_offer(admit(OFFER).sdp(), CONFIG)
    assert parse_offer(once.sdp(), CONFIG) == once


def test_the_stack_is_given_a_format_that_it_knows_and_the_rest_as_it_was() -> None:
    offer = admit(OFFER.replace("profile-level-id=42001f", "profile-level-id=640034"))
    known = offer.for_the_stack()
    assert "a=fmtp:103 packetization-mode=1;profile-level-id=42e01f\r\n" in known.sdp()
    assert "profile-level-id=640034" in offer.sdp()
    differing = set(offer.sdp().split("\r\n")) ^ set(known.sdp().split("\r\n"))
    assert {line.partition(" ")[0] for line in differing} == {"a=fmtp:103"}


def test_session_level_attributes_serve_all_media() -> None:
    shared = f"a=ice-ufrag:{UFRAG}\na=ice-pwd:{PWD}\na=fingerprint:sha-256 {PRINT}\na=setup:active\na=sendonly\n"
    bare = "\n".join(line for line in AUDIO.split("\n") if line[2:6] not in ("ice-", "fing", "setu", "send"))
    offer = admit(SESSION + shared + bare)
    assert (offer.ufrag, offer.setup) == (UFRAG, "active")


def test_a_lite_publisher_is_known_as_such() -> None:
    offer = admit(OFFER.replace("a=msid-semantic", "a=ice-lite\na=msid-semantic"))
    assert offer.lite
    assert "a=ice-lite\r\n" in offer.sdp()
    assert "ice-lite" not in admit(OFFER).sdp()


@pytest.mark.parametrize("end", ["\n", "\n\n\n"])
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_blank_lines_at_the_end_are_no_error(end: str, line_break: str) -> None:
    text = (OFFER + end).replace("\n", line_break)
    assert parse_offer(text, CONFIG) == admit(OFFER)
    fragment = f"a=ice-ufrag:{UFRAG}\nm=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:0\na=end-of-candidates\n"
    assert parse_fragment((fragment + end).replace("\n", line_break), CONFIG).complete


def test_a_blank_line_elsewhere_is_one() -> None:
    assert "letter=value" in refused(OFFER.replace("m=video", "\nm=video")).detail


def test_one_section_needs_no_bundle() -> None:
    assert len(admit(OFFER.replace("a=group:BUNDLE 0 1\n", "").replace(VIDEO, "")).sections) == 1
    assert len(admit(SESSION.replace("0 1", "1") + VIDEO).sections) == 1


def test_a_bundled_section_may_have_port_zero() -> None:
    text = OFFER.replace("m=video 9", "m=video 0").replace("a=mid:1", "a=bundle-only\na=mid:1")
    assert len(admit(text).sections) == 2


@pytest.mark.parametrize(
    ("old", "new", "status", "says"),
    [
        ("v=0\n", "", 400, "begins with v=0"),
        ("a=setup", "setup", 400, "letter=value"),
        ("a=mid:0", "a=mid:0\x00", 400, "letter=value"),
        ("a=sendonly", "a=" + "x" * 5000, 400, "letter=value"),
        ("m=audio 9 UDP", "m=audio nine UDP", 400, "media line"),
        ("a=mid:0\n", "", 400, "mid"),
        ("a=mid:0\n", "a=mid: \n", 400, "mid"),
        ("a=mid:1\n", "a=mid:0\n", 400, "same mid"),
        (f"a=ice-ufrag:{UFRAG}\n", "", 400, "ice-ufrag"),
        (f"a=ice-pwd:{PWD}\n", "a=ice-pwd:short\n", 400, "ice-pwd"),
        ("a=fingerprint:sha-256", "a=fingerprint:md5", 400, "fingerprint"),
        (PRINT, "garbage", 400, "fingerprint"),
        ("a=setup:actpass", "a=setup:holdconn", 400, "setup"),
        ("m=audio 9 UDP/TLS/RTP/SAVPF", "m=audio 9 RTP/AVP", 422, "UDP/TLS/RTP/SAVPF"),
        ("m=audio 9", "m=audio 0", 422, "port 0"),
        ("m=audio", "m=text", 422, "only audio and video"),
        ("m=audio", "m=video", 422, "at most one"),
        ("m=audio", "m=application", 422, "data channels"),
        ("a=group:BUNDLE 0 1\n", "", 422, "max-bundle"),
        ("a=group:BUNDLE 0 1\n", "a=group:BUNDLE 0\n", 422, "max-bundle"),
        ("a=group:BUNDLE 0 1\n", "a=group:\na=group:LS 0 1\n", 422, "max-bundle"),
        ("a=rtcp-mux\n", "", 422, "rtcpMuxPolicy"),
        ("a=sendonly", "a=recvonly", 422, "recvonly"),
        ("a=sendrecv", "a=inactive", 422, "inactive"),
        ("a=msid:stream-1 track-v", "a=msid:stream-2 track-v", 422, "one MediaStream"),
        ("opus/48000/2", "opus/48000", 422, "Opus"),
        ("VP8/90000", "AV1/90000", 422, "VP8"),
    ],
)  # fmt: skip
def test_refusals(old: str, new: str, status: int, says: str) -> None:
    text = OFFER.replace(old, new)
    if new == "AV1/90000":
        text = text.replace("H264/90000", "H265/90000")
    assert text != OFFER
    error = refused(text)
    assert (error.status, says in error.detail) == (status, True), error.detail


def test_without_media_or_over_the_size_it_is_refused() -> None:
    assert refused(SESSION).status == 422
    assert refused("").status == 400
    assert refused(OFFER + "a=x:y\n" * 8000).status == 413


@pytest.mark.parametrize("parameters", ["packetization-mode=2;profile-level-id=42e01f", "profile-level-id=58001f"])
def test_h264_is_refused_where_it_cannot_be_decoded(parameters: str) -> None:
    h264 = OFFER.replace("VP8/90000", "VP9/90000")
    assert refused(re.sub("(a=fmtp:103) .*", rf"\1 {parameters}", h264)).status == 422


def test_the_simplest_profile_comes_first_and_other_codecs_keep_their_places() -> None:
    high = "a=rtpmap:35 H264/90000\na=fmtp:35 packetization-mode=1;profile-level-id=64001f\n"
    main = "a=rtpmap:36 H264/90000\na=fmtp:36 packetization-mode=1;profile-level-id=4d001f\n"
    text = OFFER.replace("SAVPF 96 97 103", "SAVPF 35 96 97 36 103").replace(
        "a=ssrc-group", high + main + "a=ssrc-group"
    )
    assert [codec.payload for codec in admit(text).sections[1].codecs] == [103, 96, 36, 35, 97]


def test_a_garbled_format_parameter_is_left_out() -> None:
    offer = admit(OFFER.replace("a=fmtp:111 minptime=10", "a=fmtp:111 \\minptime=10").replace("apt=96", "apt=x"))
    assert offer.sections[0].codecs[0].parameters == ""
    assert [c.name for c in offer.sections[1].codecs] == ["VP8", "H264"]
    assert offer.sections[1].ssrcs == (2001,)


@pytest.mark.parametrize("left_out", [("a=ssrc:2002 cname:x\n",), ("a=ssrc:2001 cname:x\n", "a=ssrc:2002 cname:x\n")])
def test_a_repair_flow_that_only_a_group_names_is_known(left_out: tuple[str, ...]) -> None:
    """FFmpeg has no `a=ssrc` line of its own for it; without it, every retransmission would be dropped."""
    text = OFFER
    for line in left_out:
        text = text.replace(line, "")
    offer = admit(text)
    assert offer.sections[1].ssrcs == (2001, 2002)
    assert "a=ssrc-group:FID 2001 2002\r\na=ssrc:2001 cname:-\r\na=ssrc:2002 cname:-\r\n" in offer.sdp()


def test_a_group_without_retransmission_names_the_media_all_the_same() -> None:
    text = OFFER.replace("a=ssrc:2001 cname:x\na=ssrc:2002 cname:x\n", "").replace("rtx/90000", "ulpfec/90000")
    assert admit(text).sections[1].ssrcs == (2001,)


@pytest.mark.parametrize(
    "group", ["FID 2001 x", "FID 2001 2001", "FID 2001 4294967296", "FID 2001", "SIM 2001 2002", "FID"]
)
def test_an_unusable_ssrc_group_leaves_one_ssrc(group: str) -> None:
    offer = admit(OFFER.replace("FID 2001 2002", group))
    assert offer.sections[1].ssrcs == (2001,)


def answer_of(text: str = "", kinds: tuple[TrackKind, ...] = ("audio", "video")) -> Offer:
    return parse_answer(text or ANSWER, kinds, CONFIG)


def test_an_answer_is_written_with_its_sections_in_place() -> None:
    answer = answer_of()
    assert ([s.kind for s in answer.sections], answer.setup, answer.mid) == (["audio", "video"], "passive", "0")
    assert not any(section.rejected for section in answer.sections)
    assert parse_answer(answer.sdp(), ("audio", "video"), CONFIG).sections == answer.sections


@pytest.mark.parametrize("how", ["m=audio 0 ", "a=inactive", "a=recvonly"])
def test_what_is_rejected_keeps_its_place_and_carries_nothing(how: str) -> None:
    text = ANSWER.replace("m=audio 9 ", how) if how.startswith("m=") else ANSWER.replace("a=sendonly", how, 1)
    answer = answer_of(text.replace("BUNDLE 0 1", "BUNDLE 1"))
    assert [(s.kind, s.mid, s.rejected) for s in answer.sections] == [("audio", "0", True), ("video", "1", False)]
    assert answer.mid == "1"
    written = answer.sdp()
    assert "m=audio 0 " in written
    assert "a=group:BUNDLE 1\r\n" in written
    assert written.count("a=inactive") == 1


def test_rejected_pictures_leave_sound() -> None:
    answer = answer_of(ANSWER.replace("m=video 9 ", "m=video 0 ").replace("BUNDLE 0 1", "BUNDLE 0"))
    assert [(s.kind, s.rejected) for s in answer.sections] == [("audio", False), ("video", True)]
    assert "m=video 0 " in answer.sdp()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("v=0", "x=0", "begins with v=0"),
        ("m=audio 9", "m=text 9", "has not the media sections of the offer"),
        ("m=audio 9 UDP/TLS/RTP/SAVPF", "m=audio x UDP/TLS/RTP/SAVPF", "a media line is garbled"),
        ("a=sendonly", "a=inactive", "neither sound nor pictures are sent"),
        ("a=setup:passive", "a=setup:actpass", "must be active or passive"),
        ("a=group:BUNDLE 0 1", "a=group:BUNDLE 0", "one BUNDLE group"),
    ],
)
def test_what_is_no_answer(old: str, new: str, says: str) -> None:
    assert old in ANSWER
    with pytest.raises(SdpError, match=says):
        answer_of(ANSWER.replace(old, new).replace("a=sendrecv", "a=inactive" if new == "a=inactive" else "a=sendrecv"))


def test_a_fragment_is_read_whatever_it_lacks() -> None:
    head = f"a=ice-ufrag:{UFRAG}\r\na=ice-pwd:{PWD}\r\n"
    body = "m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp 1 93.184.216.34 50000 typ host\r\n"
    body += "a=end-of-candidates\r\n"
    fragment = parse_fragment(head + body, CONFIG)
    assert (fragment.ufrag, fragment.pwd, len(fragment.candidates), fragment.complete) == (UFRAG, PWD, 1, True)
    offer = admit(OFFER)
    check_restart(offer, fragment)
    bare = parse_fragment(body, CONFIG)
    assert (bare.ufrag, bare.pwd) == (None, None)
    check_restart(offer, bare)


@pytest.mark.parametrize("line", ["a=ice-ufrag:other", "a=ice-pwd:zzzzzzzzzzzzzzzzzzzzzzzz"])
def test_other_credentials_are_an_ice_restart_and_refused(line: str) -> None:
    with pytest.raises(SdpError) as caught:
        check_restart(admit(OFFER), parse_fragment(line + "\r\n", CONFIG))
    assert caught.value.status == 422
    assert "restart" in caught.value.detail


@pytest.mark.parametrize(("text", "status"), [("", 400), ("<html>", 400), ("a=x\n" * 9000, 413)])
def test_a_garbled_fragment_is_refused(text: str, status: int) -> None:
    with pytest.raises(SdpError) as caught:
        parse_fragment(text, CONFIG)
    assert caught.value.status == status


LINES = OFFER.split("\n")
MUTATIONS = st.lists(
    st.tuples(
        st.integers(0, len(LINES) - 1),
        st.sampled_from(["drop", "double", "swap", "cut", "text", "digits"]),
        st.text(max_size=40),
        st.integers(0, 60),
    ),
    max_size=12,
)


def mutate(changes: list[tuple[int, str, str, int]]) -> str:
    lines = list(LINES)
    for index, how, text, at in changes:
        here = index % len(lines)
        line = lines[here]
        match how:
            case "drop":
                lines[here] = ""
            case "double":
                lines.insert(here, line)
            case "swap":
                lines[here], lines[0] = lines[0], line
            case "cut":
                lines[here] = line[:at]
            case "text":
                lines[here] = line[:at] + text + line[at:]
            case _:
                lines[here] = line.replace("1", "9" * at)
    return "\r\n".join(line for line in lines if line)


def attempt(parse: Callable[[str, TapConfig], object], text: str) -> object:
    """What was read, or the status of the refusal; anything else escapes."""
    try:
        return parse(text, CONFIG)
    except SdpError as error:
        return error.status


@given(MUTATIONS)
@settings(max_examples=examples(400), deadline=None)
def test_a_mutated_offer_is_admitted_or_refused_and_nothing_else(changes: list[tuple[int, str, str, int]]) -> None:
    offer = attempt(parse_offer, mutate(changes))
    if isinstance(offer, Offer):
        assert parse_offer(offer.sdp(), CONFIG).sections == offer.sections
        assert len(offer.candidates) <= 8
    else:
        assert offer in (400, 413, 422)


@given(st.text(max_size=400) | st.text(alphabet="amvc=:/ 0159\r\n", max_size=400))
@settings(max_examples=examples(300), deadline=None)
def test_any_text_is_refused_or_read(text: str) -> None:
    for parse in (parse_offer, parse_fragment):
        read = attempt(parse, text)
        assert not isinstance(read, int) or read in (400, 413, 422)
