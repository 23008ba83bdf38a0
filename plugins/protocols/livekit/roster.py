"""A LiveKit room as somebody who only watches sees it: who is judged, by which tracks, and why others are not. Pure.

Kinds, sources and reasons are the numbers of the protocol (`livekit_models.proto`), so that nothing here needs the SDK.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from monitor.tap.kit import Profile, Reason, TrackKind

CAMERA, MICROPHONE, SCREEN_SHARE, SCREEN_SHARE_AUDIO = 1, 2, 3, 4
STANDARD, INGRESS, EGRESS, SIP, AGENT, CONNECTOR, BRIDGE = range(7)
# Somebody who speaks by themselves, by an encoder, by telephone or by another service; the others are machines.
PEOPLE = (STANDARD, INGRESS, SIP, CONNECTOR)
MAX_PEOPLE = 256
MAX_TEXT_LENGTH = 128
KINDS: Mapping[int, TrackKind] = {CAMERA: "video", MICROPHONE: "audio"}


@dataclass(frozen=True, slots=True)
class Track:
    """A track that somebody publishes. `failed`: the SDK could not subscribe to it, which codecs are the cause of."""

    sid: str
    source: int
    muted: bool = False
    encrypted: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the room, as the server says; `kind` is a number of `ParticipantInfo.Kind`."""

    identity: str = field(repr=False)
    name: str = field(default="", repr=False)
    kind: int = STANDARD
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False)
    tracks: tuple[Track, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """How a room is read: whether its key is known, and which attributes the platform puts what it knows into."""

    has_key: bool = False
    email_attribute: str | None = None
    account_attribute: str | None = None

    def judged(self, person: Person) -> dict[TrackKind, Track]:
        """Return the camera and the microphone that can be judged, by kind: the first of each, muted ones too."""
        found: dict[TrackKind, Track] = {}
        for track in person.tracks if person.kind in PEOPLE else ():
            kind = KINDS.get(track.source)
            if kind is not None and not track.failed and (self.has_key or not track.encrypted):
                found.setdefault(kind, track)
        return found

    def unwatched(self, person: Person) -> Reason | None:
        """Say why somebody cannot be watched now; None where nothing stands in the way."""
        judged = self.judged(person)
        camera, microphone = judged.get("video"), judged.get("audio")
        if camera is None or microphone is None:
            hidden = [track for track in person.tracks if track.source in KINDS and KINDS[track.source] not in judged]
            if any(track.encrypted and not self.has_key for track in hidden):
                return Reason.END_TO_END_ENCRYPTED
            if hidden:
                return Reason.UNSUPPORTED_CODEC
        if camera is None and person.kind == SIP and microphone is not None:
            return Reason.PHONE_AUDIO_ONLY
        if not judged:
            has_screen = any(track.source in (SCREEN_SHARE, SCREEN_SHARE_AUDIO) for track in person.tracks)
            return Reason.SCREEN_SHARE_ONLY if has_screen else Reason.WAITING_FOR_PUBLISHER
        if camera is None or camera.muted:
            return Reason.CAMERA_OFF
        return Reason.MUTED if microphone is None or microphone.muted else None

    def profile(self, person: Person) -> Profile:
        """Return what the platform says of who somebody is."""
        known = {
            name: person.attributes.get(attribute)
            for name, attribute in (("verified_email", self.email_attribute), ("account", self.account_attribute))
            if attribute is not None
        }
        texts = {name: value[:MAX_TEXT_LENGTH] for name, value in known.items() if value}
        display_name = person.name[:MAX_TEXT_LENGTH] or None
        return Profile(display_name=display_name, platform_id=person.identity[:MAX_TEXT_LENGTH] or None, **texts)


def named(people: Sequence[Person], names: Mapping[str, str], name_from: Callable[[str], str]) -> dict[str, str]:
    """Return what people are called here, by identity: those of `names` as before, others by their identity.

    `name_from` makes a name of it that can be one.

    Whose identity reads like another's gets a number; of the people in a room `MAX_PEOPLE` are known, machines are not.
    """
    here = [person.identity for person in people if person.kind in PEOPLE and person.identity]
    made = {identity: names[identity] for identity in here if identity in names}
    for identity in here:
        if identity in made or len(made) >= MAX_PEOPLE:
            continue
        name, number = name_from(identity), 2
        while name in made.values():
            name, number = name_from(f"{identity[:64]}~{number}"), number + 1
        made[identity] = name
    return made


class Ending(Enum):
    """What follows when the server has ended our stay, by its `DisconnectReason`."""

    AGAIN = "join again"
    OVER = "the call is over"
    STAY_OUT = "do not come back"


# Numbers of `DisconnectReason`, and what to tell the operator.
DUPLICATE_IDENTITY, PARTICIPANT_REMOVED, ROOM_DELETED, ROOM_CLOSED = 2, 4, 5, 10
ENDINGS: Mapping[int, tuple[Ending, str]] = {
    DUPLICATE_IDENTITY: (
        Ending.STAY_OUT,
        "somebody else has joined under our identity, so this stays out: give each sidecar an `identity` of its own",
    ),
    PARTICIPANT_REMOVED: (
        Ending.STAY_OUT,
        "the room's host has put us out, so this stays out: remove the source and add it again to come back",
    ),
    ROOM_DELETED: (Ending.OVER, "the room has been deleted"),
    ROOM_CLOSED: (Ending.OVER, "the room has been closed"),
}


def ending(reason: int) -> tuple[Ending, str]:
    """Say what follows from a reason to disconnect, and why in a line."""
    return ENDINGS.get(reason, (Ending.AGAIN, f"LiveKit has ended the connection (reason {reason}): it is made again"))


def why_not(error: str) -> str:
    """Say in a line what the text of a failure to join means; nothing of it is quoted."""
    text = error.lower()
    for signs, why in (
        (("401", "403", "unauthorized", "forbidden", "invalid token"), "refuses the token: check api_key, api_secret"),
        (("404", "not found"), "has no such room or no such path: check the url and the room"),
        (("429", "503", "too many"), "is full now: see its log"),
        (("wait_pc_connection", "peer connection", "ice "), "is reached, but no media path to it: see firewalls, TURN"),
    ):
        if any(sign in text for sign in signs):
            return f"LiveKit {why}"
    return "LiveKit cannot be reached: check the url, and that it runs"
