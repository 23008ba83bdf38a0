"""The messages of RTMS, both ways: what Zoom says is read into values, what is said to Zoom is written. Pure.

They are told apart by number, since names differ between Zoom's own pages, and read in every shape that those pages and
servers show. What is not understood raises `RtmsError`, which quotes nothing; numbers of the future are `Unknown`.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

MAX_MESSAGE_BYTES = 1 << 22
MAX_NAME_LENGTH = 256
MAX_PEOPLE = 512
MAX_URL_LENGTH = 2048
# Zoom asks every 10 s; whoever was not asked for so long begins anew.
KEEP_ALIVE_SECONDS = 65.0
# For so long Zoom waits for a connection that broke, from then on the stream is over.
RECONNECT_SECONDS = 60.0

Kind = Literal["audio", "video"]
JsonObject = dict[str, Any]
MEDIA_TYPE: Mapping[Kind, int] = {"audio": 1, "video": 2}
SAMPLE_RATES_HZ: Mapping[int, int] = {0: 8_000, 1: 16_000, 2: 32_000, 3: 48_000}
AUDIO_CODECS: Mapping[int, str] = {1: "L16", 4: "opus"}
H264 = 7
SEPARATE_AUDIO, CHOSEN_VIDEO = 2, 4
RESOLUTIONS: Mapping[str, int] = {"sd": 1, "hd": 2, "fhd": 3}
# RTMS_EVENT_TYPE.
SPEAKER, JOINED, LEFT, INTERRUPTED, CAMERA_ON, CAMERA_OFF = 2, 3, 4, 7, 8, 9
# The others come without being asked for.
SUBSCRIBED = (SPEAKER, JOINED, LEFT, CAMERA_ON, CAMERA_OFF)


class RtmsError(Exception):
    """A message that is none of Zoom's, or offers what cannot be judged; the text quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Ids:
    """A stream, and the app that receives it; `uuid` is that of the meeting, webinar or session."""

    client_id: str
    uuid: str
    stream: str


@dataclass(frozen=True, slots=True)
class Welcome:
    """The signalling connection is there; `urls` are those of the media, by kind."""

    urls: Mapping[Kind, str]


@dataclass(frozen=True, slots=True)
class MediaOpen:
    """A media connection is there, with what it will send; `codec` is as the decoders call it."""

    codecs: Mapping[Kind, str]


@dataclass(frozen=True, slots=True)
class Refused:
    """A handshake or a subscription is refused."""

    code: int


@dataclass(frozen=True, slots=True)
class Event:
    """Something has happened in the call: its number, and the people it is about with their names, where given."""

    number: int
    people: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class StreamState:
    """The stream has changed: it goes on, is paused, or is over, for a `reason` of RTMS_STOP_REASON."""

    phase: Literal["live", "paused", "over"]
    reason: int = 0


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Zoom asks whether we are there."""

    timestamp: int


@dataclass(frozen=True, slots=True)
class Media:
    """Sound or a picture of one person, still in base64; `seconds` is the time of Zoom's server."""

    kind: Kind
    user: int
    name: str
    seconds: float
    data: str = field(repr=False)

    def payload(self) -> bytes:
        """Return the encoded sound or picture; raises `RtmsError`."""
        try:
            return b64decode(self.data, validate=True)
        except (binascii.Error, ValueError):
            raise RtmsError("Zoom has sent media that are no base64") from None


@dataclass(frozen=True, slots=True)
class Watched:
    """The answer to a request for somebody's video: 0 where it comes."""

    user: int
    code: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message that nothing depends on."""


Message = Welcome | MediaOpen | Refused | Event | StreamState | KeepAlive | Media | Watched | Unknown


def parse(text: str | bytes) -> Message:
    """Read a message of either connection; raises `RtmsError`."""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raise RtmsError("Zoom has sent what is no JSON") from None
    if not isinstance(raw, dict):
        raise RtmsError("Zoom has sent what is no message")
    read = _READERS.get(_integer(raw.get("msg_type")))
    return read(raw) if read is not None else Unknown()


def _welcome(raw: JsonObject) -> Message:
    code = _integer(raw.get("status_code"))
    if code != 0:
        return Refused(code)
    urls = _object(_object(raw.get("media_server")).get("server_urls"))
    found: dict[Kind, str] = {}
    for kind in MEDIA_TYPE:
        url = urls.get(kind) or urls.get("all")
        if is_secure(url):
            found[kind] = str(url)
    if not found:
        raise RtmsError("Zoom names no media server: give the app the scopes for the meeting's audio and video")
    return Welcome(found)


def _media_open(raw: JsonObject) -> Message:
    code = _integer(raw.get("status_code"))
    if code != 0:
        return Refused(code)
    params = _object(raw.get("media_params"))
    codecs: dict[Kind, str] = {}
    if "audio" in params:
        codecs["audio"] = _audio_codec(_object(params["audio"]))
    if "video" in params:
        codecs["video"] = _video_codec(_object(params["video"]))
    return MediaOpen(codecs)


def _audio_codec(params: JsonObject) -> str:
    if _integer(params.get("data_opt")) != SEPARATE_AUDIO:
        raise RtmsError("Zoom gives the sound of everybody in one: nobody could be told apart in it")
    codec = AUDIO_CODECS.get(_integer(params.get("codec")))
    rate = SAMPLE_RATES_HZ.get(_integer(params.get("sample_rate"), -1))
    if codec is None or rate is None or _integer(params.get("channel"), 1) not in (1, 2):
        raise RtmsError("Zoom gives sound in a format that is not decoded")
    if codec == "opus":
        return codec
    return f"L16/{rate}/{_integer(params.get('channel'), 1)}"


def _video_codec(params: JsonObject) -> str:
    if _integer(params.get("codec")) != H264:
        raise RtmsError("Zoom gives pictures that are no video: too few a second to judge a voice by")
    if _integer(params.get("data_opt")) != CHOSEN_VIDEO:
        raise RtmsError("Zoom gives the pictures of whoever speaks: nobody can be chosen")
    return "H264"


def _event(raw: JsonObject) -> Message:
    event = _object(raw.get("event"))
    listed = event.get("participants")
    entries = listed[:MAX_PEOPLE] if isinstance(listed, list) else [event]
    people = [(user, _name(one)) for one in map(_object, entries) if (user := user_of(one.get("user_id"))) is not None]
    return Event(_integer(event.get("event_type")), tuple(people))


def _stream_state(raw: JsonObject) -> Message:
    state, reason = _integer(raw.get("state")), _integer(raw.get("reason", raw.get("stop_reason")))
    # RTMS_STREAM_STATE: terminating, terminated, paused; interrupted is told by the connection itself.
    return StreamState("over" if state in (3, 4) else "paused" if state == 5 else "live", reason)


def _session_state(raw: JsonObject) -> Message:
    # RTMS_SESSION_STATE: paused, or stopped, after which another one may begin in the same stream.
    return StreamState("paused" if _integer(raw.get("state")) in (3, 5) else "live")


def _keep_alive(raw: JsonObject) -> Message:
    return KeepAlive(_integer(raw.get("timestamp")))


def _media(raw: JsonObject) -> Message:
    content = raw.get("content")
    # Two shapes: everything in `content`, or only the data, with the rest beside it.
    about = content if isinstance(content, dict) else raw
    data = content.get("data") if isinstance(content, dict) else content
    user = user_of(about.get("user_id"))
    stamp = _integer(about.get("timestamp"))
    if user is None or not isinstance(data, str) or not data or stamp == 0:
        return Unknown()
    return Media("audio" if raw["msg_type"] == 14 else "video", user, _name(about), stamp / 1000, data)


def _watched(raw: JsonObject) -> Message:
    user = user_of(raw.get("user_id"))
    return Unknown() if user is None else Watched(user, _integer(raw.get("status_code")))


_READERS = {
    2: _welcome,
    4: _media_open,
    6: _event,
    8: _stream_state,
    9: _session_state,
    12: _keep_alive,
    14: _media,
    15: _media,
    29: _watched,
}


def user_of(value: object) -> int | None:
    """Return the number of a person, which some messages give as text; None for anything else, and for nobody (0)."""
    if isinstance(value, str) and len(value) <= 19 and value.isascii() and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 < value < 1 << 63 else None


def is_secure(url: object) -> bool:
    """Whether something is the URL of a WebSocket over TLS."""
    if not isinstance(url, str) or not 0 < len(url) <= MAX_URL_LENGTH or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme == "wss" and bool(parts.hostname) and parts.port != 0 and parts.username is None
    except ValueError:
        return False


def signature(ids: Ids, secret: str) -> str:
    """Return what proves to Zoom that a stream is ours: lower-case hex."""
    text = f"{ids.client_id},{ids.uuid},{ids.stream}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def hello(ids: Ids, secret: str) -> str:
    """Write the handshake of the signalling connection (1).

    What was said before it is not asked for: buffered sound would come with times that differ from the pictures'.
    """
    return _request(1, sequence=1, **_identified(ids, secret), buffer_data=False)


def media_hello(ids: Ids, secret: str, kind: Kind, codec: str, resolution: str, fps: int) -> str:
    """Write the handshake of a media connection (3): everybody's own sound, and the pictures of whom we choose.

    `codec` is of sound, `L16` or `opus`. It comes every 20 ms: of longer pieces it is not said whether their time is
    that of the beginning or the end.
    """
    is_opus = codec == "opus"
    audio = {"content_type": 2, "sample_rate": 3 if is_opus else 1, "channel": 1, "codec": 4 if is_opus else 1}
    video = {"content_type": 3, "codec": H264, "resolution": RESOLUTIONS[resolution], "fps": fps}
    params = {
        "audio": {**audio, "data_opt": SEPARATE_AUDIO, "send_rate": 20},
        "video": {**video, "data_opt": CHOSEN_VIDEO},
    }
    about = {"media_type": MEDIA_TYPE[kind], "payload_encryption": False, "media_params": {kind: params[kind]}}
    return _request(3, sequence=1, **_identified(ids, secret), **about)


def subscribe() -> str:
    """Ask for what happens in the call (5)."""
    events = [{"event_type": number, "subscribe": True} for number in SUBSCRIBED]
    return json.dumps({"msg_type": 5, "events": events})


def ready(ids: Ids) -> str:
    """Say that every media connection is there (7)."""
    return json.dumps({"msg_type": 7, "rtms_stream_id": ids.stream})


def alive(timestamp: int) -> str:
    """Answer a keep-alive (13)."""
    return json.dumps({"msg_type": 13, "timestamp": timestamp})


def watch(user: int, on: bool, seconds: float) -> str:
    """Ask for somebody's video, or for none (28); `seconds` is the time of day."""
    return json.dumps({"msg_type": 28, "user_id": user, "subscribe": on, "timestamp": round(seconds * 1000)})


def close(ids: Ids) -> str:
    """End the stream in order (21)."""
    return json.dumps({"msg_type": 21, "rtms_stream_id": ids.stream})


def _request(number: int, **fields: Any) -> str:
    return json.dumps({"msg_type": number, "protocol_version": 1, **fields})


def _identified(ids: Ids, secret: str) -> JsonObject:
    return {"meeting_uuid": ids.uuid, "rtms_stream_id": ids.stream, "signature": signature(ids, secret)}


def _object(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _name(value: Mapping[str, Any]) -> str:
    name = value.get("user_name")
    return name[:MAX_NAME_LENGTH] if isinstance(name, str) else ""


def _integer(value: object, missing: int = 0) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53 else missing
