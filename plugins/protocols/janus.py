"""Janus' VideoRoom (API of 1.x) as somebody who only watches sees it: the room's publishers, from its messages. Pure.

Every message is read into what is needed of it; whatever else stands in it is left out, and what cannot be read raises
`JanusError`. Names that people have given themselves are in `Publisher.display`, and in no error.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

PLUGIN = "janus.plugin.videoroom"
TEXT_PLUGIN = "janus.plugin.textroom"
# Sessions end after 60 s without a message of ours (`session_timeout`).
KEEP_ALIVE_SECONDS = 25.0
MAX_MESSAGE_BYTES = 1 << 20
MAX_PUBLISHERS = 256
MAX_DISPLAY_LENGTH = 256
MAX_MID_LENGTH = 32
# What is decoded here; the empty codec is one that Janus does not name.
CODECS: Mapping[str, tuple[str, ...]] = {"audio": ("opus", ""), "video": ("vp8", "h264", "")}

Number = int | str
Kind = Literal["audio", "video"]


class JanusError(Exception):
    """A message that is none of Janus'; the text quotes nothing of it."""


class RefusedError(Exception):
    """Janus refuses a request: `code` is its own, and the text its reason without what it quotes."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


# Codes of Janus (apierror.h) and of the VideoRoom (janus_videoroom.c) that somebody can do something about.
REASONS: Mapping[int, str] = {
    403: "the API secret or token is not right: set api_secret or token",
    417: "there is no such text room: correct text_room, or create it",
    426: "there is no such room: correct room, or create it",
    428: "there is no such publisher any more",
    429: "the room asks for something that is not given: set pin or room_token",
    430: "the request is not understood: this Janus is too old or too new",
    433: "the pin or token is not right: set pin or room_token",
    436: "the identifier is taken already",
    460: "the plug-in asked for is not there: enable janus.plugin.videoroom",
    458: "the session is over",
    459: "the handle is gone",
}
NO_SUCH_ROOM, NO_SUCH_FEED = 426, 428
# What the VideoRoom and the TextRoom answer where their secret is wrong or missing.
NEEDS_SECRET: Mapping[int, str] = {
    **dict.fromkeys((429, 433), "the room's secret is not right or not given: set room_secret"),
    **dict.fromkeys((413, 419), "the text room's secret is not right or not given: set text_secret"),
}


@dataclass(frozen=True, slots=True)
class Publisher:
    """Somebody who sends into the room: their number, the name that they gave themselves, and what of it is taken.

    `mids` are those of a microphone and a camera that can be judged; None where Janus does not say what is sent.
    `codecs` are theirs, in lower case, empty where Janus does not name one.
    """

    feed: Number
    display: str = ""
    mids: tuple[str, ...] | None = None
    codecs: tuple[str, ...] = field(default=(), compare=False)

    @property
    def streams(self) -> list[dict[str, Number]]:
        """What a subscription asks for."""
        if self.mids is None:
            return [{"feed": self.feed}]
        return [{"feed": self.feed, "mid": mid} for mid in self.mids]


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its kind (`janus`), of which request and handle, and what the plug-in says in it.

    `offer` is Janus' SDP, where it makes one; `refusal` is set where a request is refused.
    """

    kind: str
    transaction: str = ""
    sender: int = 0
    number: int = 0
    event: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    offer: str = ""
    refusal: RefusedError | None = None


def parse(text: str | bytes) -> Message:
    """Read a message; raises `JanusError`."""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raise JanusError("Janus has sent what is no JSON: check that the url is that of its WebSocket") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("janus"), str):
        raise JanusError("what answers is no Janus: check that the url is that of its WebSocket")
    inner = _object(raw.get("plugindata")).get("data")
    data = _object(inner)
    error = _object(raw.get("error"))
    refusal = _refusal(error.get("code")) if raw["janus"] == "error" else None
    if "error_code" in data:
        refusal = _refusal(data["error_code"])
    jsep = _object(raw.get("jsep"))
    offer = jsep.get("sdp") if jsep.get("type") == "offer" else None
    return Message(
        kind=raw["janus"],
        transaction=_text(raw.get("transaction")),
        sender=_integer(raw.get("sender")),
        number=_integer(_object(raw.get("data")).get("id")),
        event=_text(data.get("videoroom")),
        data=data,
        offer=_text(offer),
        refusal=refusal,
    )


def _refusal(code: object) -> RefusedError:
    number = _integer(code)
    return RefusedError(number, REASONS.get(number, f"Janus refuses a request (error {number}): see its log"))


def publishers(data: Mapping[str, Any]) -> dict[Number, Publisher]:
    """Return those whom a `joined` answer or a `publishers` event tells of, by number; at most `MAX_PUBLISHERS`."""
    return _people(data.get("publishers"))


def participants(data: Mapping[str, Any]) -> dict[Number, Publisher]:
    """Return the publishers of an answer to `listparticipants`, by number; it does not say what they send."""
    listed = data.get("participants")
    active = [one for one in listed if _object(one).get("publisher") is True] if isinstance(listed, list) else []
    return _people(active)


def attendees(data: Mapping[str, Any], ours: Number | None) -> dict[Number, str]:
    """Return those of an answer to `listparticipants` who send nothing, by number, with the names that they show.

    `ours` is our own number in the room, which is left out. There are at most `MAX_PUBLISHERS`.
    """
    listed = data.get("participants")
    found: dict[Number, str] = {}
    for one in map(_object, listed if isinstance(listed, list) else []):
        feed = feed_of(one.get("id"))
        if feed not in (None, ours) and one.get("publisher") is not True and len(found) < MAX_PUBLISHERS:
            found[feed] = _text(one.get("display"))[:MAX_DISPLAY_LENGTH]
    return found


def _people(listed: object) -> dict[Number, Publisher]:
    found: dict[Number, Publisher] = {}
    for entry in listed[:MAX_PUBLISHERS] if isinstance(listed, list) else []:
        one = _object(entry)
        feed = feed_of(one.get("id"))
        if feed is None or one.get("dummy") is True:
            continue
        streams = one.get("streams")
        sent = list(_judged(streams)) if isinstance(streams, list) else None
        mids = None if sent is None else tuple(mid for mid, _ in sent)
        codecs = tuple(codec for _, codec in sent or ())
        found[feed] = Publisher(feed, _text(one.get("display"))[:MAX_DISPLAY_LENGTH], mids, codecs)
    return found


def _judged(streams: Iterable[object]) -> Iterable[tuple[str, str]]:
    """Yield the first microphone and the first camera, with their codecs: screens are sent after these."""
    for kind, codecs in CODECS.items():
        for stream in map(_object, streams):
            mid, codec = _text(stream.get("mid")), _text(stream.get("codec")).lower()
            can_be = codec in codecs and stream.get("disabled") is not True
            if stream.get("type") == kind and can_be and 0 < len(mid) <= MAX_MID_LENGTH:
                yield mid, codec
                break


# Of what is forwarded; any that are not the same would do.
PAYLOADS: Mapping[Kind, int] = {"audio": 111, "video": 96}
_KINDS: Mapping[str, Kind] = {"opus": "audio", "vp8": "video", "h264": "video"}
_ENCODINGS: Mapping[str, str] = {"opus": "opus/48000/2", "vp8": "VP8/90000", "h264": "H264/90000"}


def forwarding(person: Publisher, ports: Mapping[Kind, int]) -> list[dict[str, Any]]:
    """Return the streams of an `rtp_forward`: each track to its port of ours, its RTCP to the next.

    None are returned where Janus does not say what somebody sends, and in which codecs: they cannot be told apart then.
    """
    if person.mids is None or not all(codec in _KINDS for codec in person.codecs):
        return []
    tracks = [(mid, _KINDS[codec]) for mid, codec in zip(person.mids, person.codecs, strict=True)]
    return [
        {"mid": mid, "port": ports[kind], "rtcp_port": ports[kind] + 1, "pt": PAYLOADS[kind]} for mid, kind in tracks
    ]


def session(person: Publisher, ports: Mapping[Kind, int]) -> str:
    """Return the SDP of what `forwarding` asks for; raises `KeyError` where that is nothing."""
    lines = ["v=0", "o=- 0 0 IN IP4 0.0.0.0", "s=-", "t=0 0"]
    for codec in person.codecs:
        kind, encoding = _KINDS[codec], _ENCODINGS[codec]
        payload = PAYLOADS[kind]
        lines += [f"m={kind} {ports[kind]} RTP/AVP {payload}", f"a=rtpmap:{payload} {encoding}"]
    return "\r\n".join([*lines, ""])


@dataclass(frozen=True, slots=True)
class Forwarder:
    """A track that Janus forwards: its number, its kind, and the port of Janus that takes RTCP, 0 where it has none."""

    stream: int
    kind: Kind | None
    rtcp_port: int


def forwarders(data: Mapping[str, Any]) -> list[Forwarder]:
    """Return what an answer to `rtp_forward` tells of."""
    listed = data.get("forwarders")
    return [
        Forwarder(_integer(one.get("stream_id")), _kind(one.get("type")), _port(one.get("local_rtcp_port")))
        for one in map(_object, listed if isinstance(listed, list) else [])
    ]


def _kind(value: object) -> Kind | None:
    return value if value in ("audio", "video") else None


def _port(value: object) -> int:
    port = _integer(value)
    return port if port < 1 << 16 else 0


def sounds(data: Mapping[str, Any], feed: Number) -> tuple[str, ...]:
    """Return the mids of all that a publisher lets be heard, by the answer to a subscription; screens' sound too."""
    streams = data.get("streams")
    found = dict.fromkeys(
        _text(stream.get("feed_mid"))
        for stream in map(_object, streams if isinstance(streams, list) else [])
        if stream.get("type") == "audio" and feed_of(stream.get("feed_id")) == feed
    )
    return tuple(mid for mid in found if 0 < len(mid) <= MAX_MID_LENGTH)


def left(data: Mapping[str, Any]) -> Number | None:
    """Return who sends no more by an event; None where it is no such event, or says it of us ("ok")."""
    for name in ("unpublished", "leaving", "kicked"):
        feed = feed_of(data.get(name))
        if feed is not None and feed != "ok":
            return feed
    return None


def feed_of(value: object) -> Number | None:
    """Return the number of a publisher, which is text where `string_ids` is set; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if 0 < value < 1 << 63 else None
    return value if isinstance(value, str) and 0 < len(value) <= MAX_DISPLAY_LENGTH else None


@dataclass(frozen=True, slots=True)
class Change:
    """Who is to be subscribed to now, who no more, and who goes by another name."""

    come: tuple[Publisher, ...] = ()
    gone: tuple[Number, ...] = ()
    renamed: tuple[Publisher, ...] = ()


@dataclass(frozen=True, slots=True)
class Roster:
    """Who sends into the room, by number."""

    people: Mapping[Number, Publisher] = field(default_factory=dict)

    def told(self, event: Message) -> tuple[Roster, Change]:
        """Take an event of the room: who came is added, who went is taken out, whoever sends other media comes anew."""
        people = dict(self.people)
        gone: list[Number] = []
        who = left(event.data)
        if who is not None and people.pop(who, None) is not None:
            gone.append(who)
        come: list[Publisher] = []
        renamed: list[Publisher] = []
        told = publishers(event.data)
        named = _renamed(event.data, people)
        if named is not None:
            told.setdefault(named.feed, named)
        for feed, person in told.items():
            before = people.get(feed)
            if before is not None and before.mids != person.mids:
                gone.append(feed)
                before = None
            if before is not None and before.display != person.display:
                renamed.append(person)
            if before is None and (feed in people or len(people) < MAX_PUBLISHERS):
                come.append(person)
            if feed in people or len(people) < MAX_PUBLISHERS:
                people[feed] = person
        return Roster(people), Change(tuple(come), tuple(gone), tuple(renamed))

    def listed(self, people: Mapping[Number, Publisher]) -> tuple[Roster, Change]:
        """Take the whole of a list: who is not in it has gone."""
        come = tuple(person for feed, person in people.items() if feed not in self.people)
        gone = tuple(feed for feed in self.people if feed not in people)
        stays = (person for feed, person in people.items() if feed in self.people)
        renamed = tuple(person for person in stays if person.display != self.people[person.feed].display)
        return Roster(dict(people)), Change(come, gone, renamed)


def _renamed(data: Mapping[str, Any], people: Mapping[Number, Publisher]) -> Publisher | None:
    """Return who has taken another name by an event; None where it is no such event."""
    feed, display = feed_of(data.get("id")), data.get("display")
    if feed is None or feed not in people or not isinstance(display, str):
        return None
    return replace(people[feed], display=display[:MAX_DISPLAY_LENGTH])


def is_over(message: Message) -> bool:
    """Whether a message ends the whole session: it timed out, or the room was destroyed."""
    return message.kind == "timeout" or message.event == "destroyed"


def is_hangup(message: Message) -> bool:
    """Whether a message says that the media of its handle have ended."""
    return message.kind in ("hangup", "detached")


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _integer(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63 else 0
