"""What an SDP of plain RTP says of each track, and what is refused."""

from __future__ import annotations

import base64

import pytest

from monitor.tap.media.config import TapConfig
from monitor.tap.rtp.plain_sdp import PlainTrack, parse_session
from monitor.tap.rtp.sdp import SdpError

KEY = bytes(range(30))
INLINE = base64.b64encode(KEY).decode()
AUDIO = "m=audio 5004 RTP/AVP 111\na=rtpmap:111 opus/48000/2\n"
VIDEO = "m=video 5006 RTP/SAVPF 96\na=rtpmap:96 VP8/90000\na=ssrc:77 cname:x\n"
CRYPTO = f"a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:{INLINE}|2^20|1:4\n"
HEAD = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
SESSION = HEAD + AUDIO + VIDEO + CRYPTO


def tracks(text: str) -> tuple[PlainTrack, ...]:
    return parse_session(text.replace("\n", "\r\n"), TapConfig())


def test_each_track_has_its_ports_codecs_and_key() -> None:
    audio, video = tracks(SESSION)
    assert (audio.kind, audio.port, audio.rtcp_port, audio.ssrc, audio.key) == ("audio", 5004, 5005, None, b"")
    assert [codec.name for codec in audio.codecs] == ["opus"]
    assert (video.kind, video.ssrc, video.profile, video.key) == ("video", 77, "AES_CM_128_HMAC_SHA1_32", KEY)


@pytest.mark.parametrize(
    ("line", "port"), [("a=rtcp-mux\n", 5004), ("a=rtcp:6001 IN IP4 192.0.2.1\n", 6001), ("a=rtcp:x\n", 5005)]
)
def test_where_rtcp_comes(line: str, port: int) -> None:
    assert tracks(HEAD + AUDIO + line)[0].rtcp_port == port


def test_a_key_of_the_session_serves_and_one_that_is_none_is_passed_over() -> None:
    bad = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:====" + 36 * "A" + "\n"
    short = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{base64.b64encode(KEY[:28]).decode()}\n"
    other = "a=crypto:1 AEAD_AES_256_GCM inline:whatever\n"
    (video,) = tracks(HEAD + CRYPTO + VIDEO + bad + short + other)
    assert video.key == KEY


def test_data_channels_are_left_out() -> None:
    assert len(tracks(SESSION + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\n")) == 2


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("v=0", "x=0", "begins with v=0"),
        ("m=audio", "m=text", "must be audio or video over RTP/AVP"),
        ("m=audio 5004", "m=audio 80", "ports are 1024 to 65535"),
        ("m=audio 5004", "m=audio 65535", "ports are 1024 to 65535"),
        ("m=audio 5004", "m=audio 5005", "share a port"),
        ("opus/48000/2", "G722/8000", "no audio codec"),
        (CRYPTO, "", "SRTP needs a=crypto"),
        (
            "m=video 5006 RTP/SAVPF 96\na=rtpmap:96 VP8/90000",
            AUDIO.replace("5004", "6000").strip(),
            "one audio and one",
        ),
    ],
)
def test_what_is_refused(old: str, new: str, says: str) -> None:
    assert old in SESSION
    with pytest.raises(SdpError, match=says):
        tracks(SESSION.replace(old, new, 1))


def test_nothing_and_too_much_are_refused() -> None:
    with pytest.raises(SdpError, match="one audio and one video"):
        tracks(HEAD)
    with pytest.raises(SdpError, match="over 32768 bytes"):
        tracks(SESSION + 40_000 * "a")
