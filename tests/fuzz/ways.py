"""What the other sides of ways into calls send: messages of Janus, answers of WHEP servers."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from monitor.host.cluster.frames import FrameError, messages_of
from monitor.host.cluster.values import ValueCodecError, decode, encode
from monitor.tap.media.config import TapConfig
from monitor.tap.rtp.sdp import SdpError
from monitor.tap.rtp.sdp_parser import parse_answer
from plugins.protocols import janus, whep
from plugins.protocols.livekit import webhook as livekit
from plugins.protocols.zoom import messages as zoom
from plugins.protocols.zoom import webhook
from plugins.protocols.zoom.meeting import Meeting
from tests.fuzz.target import Target

URL = "https://media.example/whep/ada"


def answer(data: bytes) -> None:
    """The answer to an offer of ours: what is admitted is written with a place for each section."""
    admitted = parse_answer(data.decode(errors="replace"), ("audio", "video"), TapConfig())
    written = admitted.sdp()
    assert written.index("m=audio") < written.index("m=video")
    assert not all(section.rejected for section in admitted.sections)


def link_frame(data: bytes) -> None:
    """A frame of a host: what is read of it is of the types that cross, and can be sent again."""
    for message in messages_of(data):
        if "b" in message:
            value = decode(message["b"])
            assert encode(decode(encode(value))) == encode(value)


def whep_reply(data: bytes) -> None:
    """A status and headers, one a line: a token and an offer never go where they are less protected."""
    status, *lines = data.decode(errors="replace").split("\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    number = int(status) if status.isascii() and status.isdecimal() and len(status) < 4 else 201
    reply = whep.read_reply(URL, number, headers)
    match reply:
        case whep.Answered(url) | whep.CounterOffer(url) | whep.Redirected(url):
            assert whep.origin(url)[0] == "https"
            assert whep.origin(url)[1]
        case whep.Later(seconds):
            assert 0.1 <= seconds <= whep.LONGEST_ASKED_SECONDS
        case whep.Refused(why, asked):
            assert why.isprintable()
            assert asked is None or 0.0 <= asked <= whep.LONGEST_ASKED_SECONDS


def janus_messages(data: bytes) -> None:
    """Messages one a line: nobody is in the roster twice, it is bounded, and what is asked for can be asked for."""
    roster = janus.Roster()
    for line in data.split(b"\n"):
        message = janus.parse(line)
        assert message.refusal is None or str(message.refusal).isprintable()
        roster, change = roster.told(message)
        assert all(person.feed in roster.people for person in change.come)
        roster, _ = roster.listed({**roster.people, **janus.participants(message.data)})
        assert all(person.streams is not None and person.feed == feed for feed, person in roster.people.items())
        janus.is_over(message), janus.is_hangup(message)


def rtms_messages(data: bytes) -> None:
    """Messages of Zoom one a line: what is read is bounded, and nobody leads to a server without TLS."""
    meeting = Meeting()
    for line in data.split(b"\n"):
        message = zoom.parse(line)
        match message:
            case zoom.Welcome(urls):
                assert all(zoom.is_secure(url) for url in urls.values())
            case zoom.Event():
                meeting = meeting.told(message)
            case zoom.Media():
                meeting = meeting.heard(message)
                assert message.user > 0
                message.payload()
    assert len(meeting.people) <= zoom.MAX_PEOPLE
    assert all(len(person.name) <= zoom.MAX_NAME_LENGTH for person in meeting.people.values())


def rtms_webhook(data: bytes) -> None:
    """A webhook that Zoom has signed, and one that says itself that it is."""
    stamp = "1800000000"
    refused = 0
    try:
        webhook.read(data[40:], data[:10].decode(errors="replace"), data[10:40].decode(errors="replace"), "a", 0.0)
    except webhook.WebhookError as error:
        refused = error.status
    if refused != 401:
        raise AssertionError("anybody may send webhooks")
    said = webhook.read(data, stamp, webhook.sign("a-secret", stamp, data), "a-secret", 1_800_000_000.0)
    assert not isinstance(said, webhook.Started) or zoom.is_secure(said.url)


class Signed:
    """The claims of a token for a body, as if it were signed with our key: what is behind that is attacked too."""

    def __init__(self, body: bytes) -> None:
        self.sha256 = base64.b64encode(hashlib.sha256(body).digest()).decode()


def livekit_webhook(data: bytes) -> None:
    """A token and a body: nothing is taken that another key has signed, and what is read names one room or none."""
    header, _, body = data.partition(b"\n")
    from livekit import api

    verifier = api.TokenVerifier("APIkey", "a-secret-that-is-long-enough-for-it")
    try:
        livekit.read(body, header.decode(errors="replace"), verifier.verify, parsed_event)
    except livekit.WebhookError:
        pass
    else:
        raise AssertionError("a webhook was taken that nobody has signed")
    event = livekit.read(body, "x", lambda _: Signed(body), parsed_event)
    seen = livekit.Seen()
    notice = seen.notice(event)
    assert notice.room is None or notice.room == event.room.name
    assert not event.id or seen.notice(event) == livekit.Notice()


def parsed_event(text: str) -> Any:
    """As livekit-api reads it; it is imported here, since it is an extra's."""
    from google.protobuf.json_format import Parse
    from livekit import api

    return Parse(text, api.WebhookEvent(), ignore_unknown_fields=True)


TARGETS = (
    Target(
        "link_frame",
        link_frame,
        (FrameError, ValueCodecError),
        (b'{"b": ', b'{"$": "array", "of": "<f4", "shape": [', b'{"$": "data", "of": "Claim"', b'"v": [', b"1e999"),
    ),
    Target("answer", answer, (SdpError,), (b"a=inactive", b"m=audio 0 ", b"a=group:BUNDLE ", b"a=setup:passive")),
    Target(
        "whep",
        whep_reply,
        (),
        (b"406", b"307", b"409", b"location: ", b"retry-after: ", b"//", b"https://[", b":0/"),
        10_000,
    ),
    Target(
        "janus",
        janus_messages,
        (janus.JanusError,),
        (
            b'"publishers": ',
            b'"streams": ',
            b'"unpublished": "ok"',
            b'"error_code": ',
            b"null",
            b"true",
            b"[]",
            b'"mid": ',
        ),
        10_000,
    ),
    Target(
        "rtms",
        rtms_messages,
        (zoom.RtmsError,),
        (b'"msg_type": ', b'"content": ', b'"user_id": ', b'"participants": ', b"null", b"[]", b"{}", b'"wss://"'),
        10_000,
    ),
    Target(
        "rtms_webhook",
        rtms_webhook,
        (webhook.WebhookError,),
        (b'"event": ', b'"payload": ', b'"object": ', b'"plainToken": ', b'"server_urls": ', b'"wss://"', b"null"),
        10_000,
    ),
    Target(
        "livekit_webhook",
        livekit_webhook,
        (livekit.WebhookError,),
        (b'"event": "room_started"', b'"room": ', b'"name": ', b'"id": ', b"null", b"{}", b"[]", b"Bearer "),
        10_000,
    ),
)
