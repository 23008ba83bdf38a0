"""What Janus says of a room: who is there, who comes, goes and changes what they send, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from plugins.protocols.janus import (
    MAX_PUBLISHERS,
    Change,
    Forwarder,
    JanusError,
    Message,
    Publisher,
    Roster,
    attendees,
    feed_of,
    forwarders,
    forwarding,
    is_hangup,
    is_over,
    left,
    parse,
    participants,
    publishers,
    session,
    sounds,
)

CAMERA = {"type": "video", "mid": "1", "codec": "vp8"}
SCREEN = {"type": "video", "mid": "2", "codec": "vp8"}
VOICE = {"type": "audio", "mid": "0", "codec": "opus"}


def event(**data: Any) -> Message:
    return parse(json.dumps({"janus": "event", "sender": 7, "plugindata": {"data": {"videoroom": "event", **data}}}))


def one(feed: Any, *streams: Any, **more: Any) -> dict[str, Any]:
    return {"id": feed, "display": "Ada", "streams": list(streams), **more}


def test_an_answer_is_read_as_far_as_it_is_needed() -> None:
    jsep = {"type": "offer", "sdp": "v=0"}
    data = {"videoroom": "attached", "other": 1}
    raw = {"janus": "event", "transaction": "t", "sender": 5, "plugindata": {"data": data}, "jsep": jsep}
    message = parse(json.dumps(raw))
    assert (message.kind, message.transaction, message.sender, message.event) == ("event", "t", 5, "attached")
    assert (message.offer, message.refusal) == ("v=0", None)
    assert parse(json.dumps(raw | {"jsep": {"type": "answer", "sdp": "v=0"}})).offer == ""
    assert parse(b'{"janus": "success", "data": {"id": 9}}').number == 9


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "{}", '{"janus": 1}', "[" * 100_000, b"\xff"])
def test_what_is_none_of_janus_is_an_error_that_quotes_nothing(text: str | bytes) -> None:
    with pytest.raises(JanusError, match="check that the url is that of its WebSocket"):
        parse(text)


@pytest.mark.parametrize(
    ("raw", "code", "said"),
    [
        ({"janus": "error", "error": {"code": 403, "reason": "a-secret"}}, 403, "set api_secret or token"),
        ({"janus": "event", "plugindata": {"data": {"error_code": 426, "error": "a-secret"}}}, 426, "no such room"),
        ({"janus": "error", "error": {"code": 777}}, 777, r"\(error 777\): see its log"),
        ({"janus": "error"}, 0, "error 0"),
        ({"janus": "error", "error": {"code": True}}, 0, "error 0"),
    ],
)
def test_a_refusal_says_what_to_do_and_quotes_nothing(raw: dict[str, Any], code: int, said: str) -> None:
    refusal = parse(json.dumps(raw)).refusal
    assert refusal is not None
    assert refusal.code == code
    with pytest.raises(type(refusal), match=said):
        raise refusal
    assert "a-secret" not in str(refusal)


def test_the_first_microphone_and_camera_are_taken() -> None:
    def mids(*streams: Any) -> tuple[str, ...] | None:
        return publishers({"publishers": [one(1, *streams)]})[1].mids

    assert mids(CAMERA, SCREEN, VOICE) == ("0", "1")
    assert mids(CAMERA | {"disabled": True}, SCREEN) == ("2",)
    assert mids(CAMERA | {"codec": "AV1"}, VOICE | {"codec": "OPUS"}) == ("0",)
    assert mids(CAMERA | {"mid": 1}, VOICE | {"mid": ""}, VOICE | {"mid": "a" * 33}, "x", {"type": "data"}) == ()
    unsaid = publishers({"publishers": [{"id": 1}]})[1]
    assert (unsaid.mids, unsaid.streams) == (None, [{"feed": 1}])
    assert Publisher(1, "", ("0", "1")).streams == [{"feed": 1, "mid": "0"}, {"feed": 1, "mid": "1"}]


def test_who_cannot_be_subscribed_to_is_left_out() -> None:
    listed = [
        one(1, dummy=True),
        one(True),
        one(-1),
        one(None),
        one(""),
        "x",
        one("ada", display=5),
        one(2, display="a" * 999),
    ]
    found = publishers({"publishers": listed})
    assert {feed: len(person.display) for feed, person in found.items()} == {"ada": 0, 2: 256}
    assert publishers({"publishers": "x"}) == publishers({}) == {}
    assert len(publishers({"publishers": [one(n) for n in range(1, 1000)]})) == MAX_PUBLISHERS


def test_a_list_of_participants_holds_those_who_publish() -> None:
    listed = [{"id": 1, "display": "Ada", "publisher": True}, {"id": 2, "publisher": False}, {"id": 3}, "x"]
    assert participants({"participants": listed}) == {1: Publisher(1, "Ada")}
    assert participants({"participants": 5}) == {}


@pytest.mark.parametrize(
    ("data", "feed"),
    [
        ({"unpublished": 5}, 5),
        ({"leaving": "ada"}, "ada"),
        ({"kicked": 6}, 6),
        ({"leaving": "ok"}, None),
        ({"unpublished": "ok"}, None),
        ({"leaving": []}, None),
        ({}, None),
    ],
)
def test_who_goes(data: dict[str, Any], feed: object) -> None:
    assert left(data) == feed


@pytest.mark.parametrize(
    ("value", "feed"), [(1, 1), ("a", "a"), (0, None), (1 << 63, None), ("a" * 257, None), (1.0, None)]
)
def test_numbers_of_publishers(value: object, feed: object) -> None:
    assert feed_of(value) == feed


def test_the_roster_follows_the_room() -> None:
    ada = Publisher(1, "Ada", ("1",))
    roster, change = Roster().told(event(publishers=[one(1, CAMERA)]))
    assert (roster.people, change) == ({1: ada}, Change((ada,)))
    assert roster.told(event(publishers=[one(1, CAMERA)])) == (roster, Change())
    # Whoever turns the microphone on as well is subscribed to anew.
    roster, change = roster.told(event(publishers=[one(1, CAMERA, VOICE)]))
    assert change == Change((Publisher(1, "Ada", ("0", "1")),), (1,))
    assert roster.told(event(leaving=9)) == (roster, Change())
    assert roster.told(event(unpublished=1)) == (Roster(), Change((), (1,)))


def test_the_roster_is_bounded() -> None:
    roster, _ = Roster().told(event(publishers=[one(n) for n in range(1, MAX_PUBLISHERS + 1)]))
    roster, change = roster.told(event(publishers=[one(999, CAMERA)]))
    assert (len(roster.people), change) == (MAX_PUBLISHERS, Change())
    roster, change = roster.told(event(publishers=[one(1, VOICE)]))
    assert (len(roster.people), [person.feed for person in change.come]) == (MAX_PUBLISHERS, [1])


def test_a_list_is_the_whole_of_it() -> None:
    ada, bob = Publisher(1, "Ada"), Publisher(2, "Bob")
    roster, change = Roster().listed({1: ada})
    assert change == Change((ada,))
    assert roster.listed({2: bob}) == (Roster({2: bob}), Change((bob,), (1,)))


def test_what_ends_a_session_and_what_a_handle() -> None:
    assert is_over(Message("timeout"))
    assert is_over(Message("event", event="destroyed"))
    assert not is_over(event(publishers=[]))
    assert is_hangup(Message("hangup"))
    assert is_hangup(Message("detached"))
    assert not is_hangup(Message("webrtcup"))


def test_what_of_somebody_can_be_heard_is_known_by_the_answer_to_a_subscription() -> None:
    stream = {"type": "audio", "feed_id": 7, "feed_mid": "0"}
    listed = [stream, stream, stream | {"feed_mid": "3"}, stream | {"feed_id": 8, "feed_mid": "4"}]
    odd = [stream | {"type": "video", "feed_mid": "1"}, stream | {"feed_mid": 2}, stream | {"feed_mid": "x" * 33}, 5]
    assert sounds({"streams": [*listed, *odd]}, 7) == ("0", "3")
    assert sounds({"streams": "none"}, 7) == sounds({}, 7) == ()


def test_who_takes_another_name_is_told_of_however_janus_says_it() -> None:
    roster, _ = Roster().told(event(publishers=[one(1, VOICE), one(2, VOICE)]))
    ada = Publisher(1, "Grace", ("0",))
    for said in (event(id=1, display="Grace"), event(publishers=[{**one(1, VOICE), "display": "Grace"}])):
        renamed, change = roster.told(said)
        assert change == Change(renamed=(ada,))
        assert renamed.people[1] == ada
    again, change = roster.listed({1: ada, 2: roster.people[2]})
    assert (again.people[1], change) == (ada, Change(renamed=(ada,)))
    for nothing in (event(id=9, display="x"), event(id=1, display=7), event(id=1, display="Ada"), event(display="x")):
        assert roster.told(nothing) == (roster, Change())


def test_who_sends_nothing_is_told_apart_from_us_and_from_publishers() -> None:
    people = [
        {"id": 1, "display": "Ada", "publisher": True},
        {"id": 2, "display": "Bob", "publisher": False},
        {"id": 3},
        {"id": 4, "display": 7},
        {"id": True, "display": "nobody"},
        "nobody",
    ]
    assert attendees({"participants": people}, 3) == {2: "Bob", 4: ""}
    assert attendees({"participants": people}, None) == {2: "Bob", 3: "", 4: ""}
    assert attendees({}, 3) == {}
    many = [{"id": n, "display": "x" * 999} for n in range(1, MAX_PUBLISHERS + 9)]
    found = attendees({"participants": many}, None)
    assert (len(found), {len(name) for name in found.values()}) == (MAX_PUBLISHERS, {256})


def test_tracks_are_forwarded_to_a_port_each() -> None:
    (ada,) = publishers({"publishers": [one(1, CAMERA | {"codec": "VP8"}, VOICE, SCREEN)]}).values()
    assert ada.codecs == ("opus", "vp8")
    assert forwarding(ada, {"audio": 20_000, "video": 20_004}) == [
        {"mid": "0", "port": 20_000, "rtcp_port": 20_001, "pt": 111},
        {"mid": "1", "port": 20_004, "rtcp_port": 20_005, "pt": 96},
    ]
    assert session(ada, {"audio": 20_000, "video": 20_004}).splitlines()[4:] == [
        "m=audio 20000 RTP/AVP 111",
        "a=rtpmap:111 opus/48000/2",
        "m=video 20004 RTP/AVP 96",
        "a=rtpmap:96 VP8/90000",
    ]
    # Where it is not known what comes, it cannot be told apart.
    assert forwarding(Publisher(1), {"audio": 2, "video": 4}) == []
    (bob,) = publishers({"publishers": [one(2, CAMERA | {"codec": ""}, VOICE)]}).values()
    assert forwarding(bob, {"audio": 2, "video": 4}) == []


def test_what_is_forwarded_has_a_number_and_may_have_a_port_for_reports() -> None:
    told = [{"stream_id": 7, "type": "audio", "local_rtcp_port": 5001}, {"type": 3, "local_rtcp_port": 70_000}, "x"]
    assert forwarders({"forwarders": told}) == [
        Forwarder(7, "audio", 5001),
        Forwarder(0, None, 0),
        Forwarder(0, None, 0),
    ]
    assert forwarders({"forwarders": 3}) == forwarders({}) == []
