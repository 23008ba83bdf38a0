"""The messages of RTMS: every shape that Zoom's pages and servers show, and what is none of them."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest

from plugins.protocols.zoom import messages
from plugins.protocols.zoom.messages import (
    Event,
    Ids,
    KeepAlive,
    Media,
    MediaOpen,
    Message,
    Refused,
    RtmsError,
    StreamState,
    Unknown,
    Watched,
    Welcome,
    is_secure,
    parse,
    user_of,
)

IDS = Ids("a-client", "4gXk/Wb7Sw==", "756FF58A")
URL = "wss://rtms.example:443/media"
AUDIO = {"content_type": 2, "sample_rate": 1, "channel": 1, "codec": 1, "data_opt": 2, "send_rate": 20}
VIDEO = {"content_type": 3, "codec": 7, "resolution": 2, "data_opt": 4, "fps": 25}


def told(number: int, **fields: Any) -> Message:
    return parse(json.dumps({"msg_type": number, **fields}))


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, b"\xff", "[]", "1", "null"])
def test_what_is_no_message_is_an_error_that_quotes_nothing(text: str | bytes) -> None:
    with pytest.raises(RtmsError, match=r"^Zoom has sent what is no (JSON|message)$"):
        parse(text)


@pytest.mark.parametrize("number", [0, 1, 16, 17, 18, 99, -4, "14", None, True])
def test_numbers_that_nothing_depends_on(number: object) -> None:
    assert parse(json.dumps({"msg_type": number, "content": {"user_id": 1}})) == Unknown()


def test_the_signalling_answers() -> None:
    servers = {"server_urls": {"audio": URL, "video": "ws://plain", "all": URL + "/all", "transcript": URL}}
    assert told(2, status_code=0, media_server=servers) == Welcome({"audio": URL})
    one = {"server_urls": {"all": URL}}
    assert told(2, status_code=0, media_server=one) == Welcome({"audio": URL, "video": URL})
    assert told(2, status_code=3) == Refused(3)
    for none in ({}, {"media_server": {"server_urls": URL}}, {"media_server": {"server_urls": {"chat": URL}}}):
        with pytest.raises(RtmsError, match="names no media server: give the app the scopes"):
            told(2, **none)


def test_the_media_answer() -> None:
    assert told(4, status_code=0, media_params={"audio": AUDIO}) == MediaOpen({"audio": "L16/16000/1"})
    stereo = {"audio": {**AUDIO, "sample_rate": 3, "channel": 2}}
    assert told(4, media_params=stereo) == MediaOpen({"audio": "L16/48000/2"})
    opus = {"audio": {**AUDIO, "codec": 4}, "video": VIDEO}
    assert told(4, media_params=opus) == MediaOpen({"audio": "opus", "video": "H264"})
    assert told(4, status_code=23) == Refused(23)
    assert told(4) == MediaOpen({})


@pytest.mark.parametrize(
    ("kind", "params", "said"),
    [
        ("audio", {**AUDIO, "data_opt": 1}, "sound of everybody in one"),
        ("audio", {}, "sound of everybody in one"),
        ("audio", {**AUDIO, "codec": 2}, "a format that is not decoded"),
        ("audio", {**AUDIO, "sample_rate": 9}, "a format that is not decoded"),
        ("audio", {**AUDIO, "channel": 3}, "a format that is not decoded"),
        ("video", {**VIDEO, "codec": 5}, "no video"),
        ("video", {**VIDEO, "data_opt": 3}, "nobody can be chosen"),
    ],
)
def test_what_cannot_be_judged_is_refused_at_the_handshake(kind: str, params: Any, said: str) -> None:
    with pytest.raises(RtmsError, match=said):
        told(4, status_code=0, media_params={kind: params})


def test_events() -> None:
    people = [
        {"user_id": "12", "user_name": "Ada"},
        {"user_id": 13},
        {"user_id": "x"},
        7,
        {"user_id": 14, "user_name": 9},
    ]
    event = {"event_type": 3, "timestamp": 1, "participants": people}
    assert told(6, event=event) == Event(3, ((12, "Ada"), (13, ""), (14, "")))
    assert told(6, event={"event_type": 2, "user_id": 22, "user_name": "Bob"}) == Event(2, ((22, "Bob"),))
    assert told(6, event={"event_type": 7}) == Event(7)
    assert told(6) == Event(0)
    crowd = {"event_type": 3, "participants": [{"user_id": n + 1} for n in range(2000)]}
    many = told(6, event=crowd)
    assert isinstance(many, Event)
    assert len(many.people) == messages.MAX_PEOPLE


@pytest.mark.parametrize(
    ("number", "state", "phase"),
    [
        *((8, state, phase) for state, phase in enumerate(["live", "live", "live", "over", "over", "paused", "live"])),
        *((9, state, phase) for state, phase in enumerate(["live", "live", "live", "paused", "live", "paused"])),
    ],
)
def test_states(number: int, state: int, phase: Any) -> None:
    reason = 8 if number == 8 else 0
    assert told(number, state=state, reason=8) == StreamState(phase, reason)
    assert told(number, state=state, stop_reason=8) == StreamState(phase, reason)


def test_keep_alives_and_answers() -> None:
    assert told(12, timestamp=1727384349123) == KeepAlive(1727384349123)
    assert told(29, user_id=5, status_code=44) == Watched(5, 44)
    assert told(29, status_code=44) == Unknown()


def test_media_in_both_shapes() -> None:
    about = {"user_id": 5, "user_name": "Ada", "timestamp": 1738392033699}
    expected = Media("audio", 5, "Ada", 1738392033.699, "AQI=")
    assert told(14, content={**about, "data": "AQI=", "length": 2}) == expected
    assert told(14, content="AQI=", **about) == expected
    picture = told(15, content={**about, "data": "AQI="})
    assert isinstance(picture, Media)
    assert (picture.kind, picture.payload()) == ("video", b"\x01\x02")
    assert "AQI" not in repr(picture)


@pytest.mark.parametrize(
    "content",
    [
        # Everybody's sound in one is of nobody.
        {"user_id": 0, "data": "AQI=", "timestamp": 1},
        {"user_id": 5, "data": "", "timestamp": 1},
        {"user_id": 5, "timestamp": 1},
        {"user_id": 5, "data": "AQI="},
        {"user_id": 5, "data": 7, "timestamp": 1},
        None,
        7,
    ],
)
def test_media_of_nobody(content: object) -> None:
    assert told(14, content=content) == Unknown()


@pytest.mark.parametrize("data", ["not base64", "AQI", "é"])
def test_media_that_are_no_base64(data: str) -> None:
    media = Media("audio", 5, "", 1.0, data)
    with pytest.raises(RtmsError, match="media that are no base64"):
        media.payload()


@pytest.mark.parametrize(
    ("value", "user"),
    [
        (1, 1),
        ("1", 1),
        (0, None),
        ("0", None),
        (-1, None),
        (True, None),
        ("٣", None),
        (1 << 63, None),
        ("9" * 20, None),
    ],
)
def test_numbers_of_people(value: object, user: int | None) -> None:
    assert user_of(value) == user


NOT_SECURE = ("ws://a", "https://a", "wss://", "wss://a:0", "wss://a:x", "wss://[", "wss://u:p@a", "wss://a b", "")


@pytest.mark.parametrize("url", [*NOT_SECURE, None, 7, "wss://a/" + "x" * 3000, "wss://a/\n"])
def test_what_is_no_secure_url(url: object) -> None:
    assert not is_secure(url)


def test_what_is_said_to_zoom() -> None:
    text = "a-client,4gXk/Wb7Sw==,756FF58A"
    proof = hmac.new(b"s", text.encode(), hashlib.sha256).hexdigest()
    identified = {"meeting_uuid": IDS.uuid, "rtms_stream_id": IDS.stream, "signature": proof}
    hello = json.loads(messages.hello(IDS, "s"))
    assert hello == {"msg_type": 1, "protocol_version": 1, "sequence": 1, **identified, "buffer_data": False}
    sound = json.loads(messages.media_hello(IDS, "s", "audio", "L16", "hd", 25))
    assert sound["media_params"] == {"audio": AUDIO}
    assert (sound["media_type"], sound["signature"], sound["payload_encryption"]) == (1, proof, False)
    opus = json.loads(messages.media_hello(IDS, "s", "audio", "opus", "hd", 25))["media_params"]["audio"]
    assert (opus["codec"], opus["sample_rate"]) == (4, 3)
    pictures = json.loads(messages.media_hello(IDS, "s", "video", "L16", "hd", 25))
    assert (pictures["media_type"], pictures["media_params"]) == (2, {"video": VIDEO})
    asked = json.loads(messages.subscribe())
    assert asked["msg_type"] == 5
    assert [one["event_type"] for one in asked["events"]] == [2, 3, 4, 8, 9]
    assert json.loads(messages.ready(IDS)) == {"msg_type": 7, "rtms_stream_id": IDS.stream}
    assert json.loads(messages.alive(12)) == {"msg_type": 13, "timestamp": 12}
    assert json.loads(messages.watch(5, True, 1.5)) == {
        "msg_type": 28,
        "user_id": 5,
        "subscribe": True,
        "timestamp": 1500,
    }
    assert json.loads(messages.close(IDS)) == {"msg_type": 21, "rtms_stream_id": IDS.stream}
