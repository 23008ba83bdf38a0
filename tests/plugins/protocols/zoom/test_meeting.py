"""Who is in a call, as events and media tell it."""

from __future__ import annotations

from plugins.protocols.zoom import messages
from plugins.protocols.zoom.meeting import Meeting, Person
from plugins.protocols.zoom.messages import MAX_PEOPLE, Event, Kind, Media


def media(kind: Kind, user: int, name: str = "") -> Media:
    return Media(kind, user, name, 1.0, "AA==")


def test_people_come_speak_show_themselves_and_go() -> None:
    meeting = Meeting().told(Event(messages.JOINED, ((1, "Ada"), (2, "Bob"))))
    meeting = meeting.told(Event(messages.CAMERA_ON, ((1, ""), (3, ""))))
    meeting = meeting.told(Event(messages.CAMERA_OFF, ((2, ""),)))
    meeting = meeting.told(Event(messages.SPEAKER, ((2, "Bob"),)))
    assert meeting.people == {1: Person(1, "Ada", True), 2: Person(2, "Bob", False), 3: Person(3, "", True)}
    assert meeting.speaker == 2
    meeting = meeting.told(Event(messages.LEFT, ((2, ""), (9, ""))))
    assert (sorted(meeting.people), meeting.speaker) == ([1, 3], None)
    meeting = meeting.told(Event(messages.SPEAKER, ((1, ""),))).told(Event(messages.LEFT, ((3, ""),)))
    assert (sorted(meeting.people), meeting.speaker) == ([1], 1)


def test_sound_may_come_before_anybody_has_joined_and_names_change() -> None:
    meeting = Meeting().heard(media("audio", 5, "Ada"))
    assert meeting.people == {5: Person(5, "Ada", None)}
    assert meeting.heard(media("audio", 5)) is meeting
    meeting = meeting.heard(media("video", 5, "Ada (CFO)"))
    assert meeting.people == {5: Person(5, "Ada (CFO)", True)}
    # Pictures that are on their way when a camera goes off come after it.
    off = meeting.told(Event(messages.CAMERA_OFF, ((5, ""),)))
    assert off.heard(media("video", 5)) is off
    assert off.people[5].camera is False


def test_a_crowd_is_bounded() -> None:
    meeting = Meeting({n: Person(n) for n in range(1, MAX_PEOPLE + 1)})
    assert meeting.told(Event(messages.JOINED, ((9999, "one more"),))) == meeting
    assert meeting.told(Event(messages.SPEAKER, ((1, "Ada"),))).people[1].name == "Ada"
