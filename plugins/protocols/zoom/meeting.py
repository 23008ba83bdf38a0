"""Who is in a call, as the stream tells it: people, their cameras, who speaks, whether the user has paused it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from plugins.protocols.zoom import messages
from plugins.protocols.zoom.messages import MAX_PEOPLE, Event, Media


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the call: the name that they show now, and their camera, None where nothing was said of it."""

    user: int
    name: str = ""
    camera: bool | None = None


@dataclass(frozen=True, slots=True)
class Meeting:
    """Everybody in the call by number, at most `MAX_PEOPLE`, and who spoke last."""

    people: Mapping[int, Person] = field(default_factory=dict)
    speaker: int | None = None
    paused: bool = False

    def told(self, event: Event) -> Meeting:
        """Take an event."""
        made = self
        for user, name in event.people:
            if event.number == messages.LEFT:
                left = {number: person for number, person in made.people.items() if number != user}
                made = replace(made, people=left, speaker=None if made.speaker == user else made.speaker)
                continue
            made = made._with(user, name, _CAMERA.get(event.number))
            if event.number == messages.SPEAKER:
                made = replace(made, speaker=user)
        return made

    def heard(self, media: Media) -> Meeting:
        """Take media: they may come before it is told that somebody has joined, or that their camera is on.

        Those that come after a camera went off were on their way.
        """
        person = self.people.get(media.user)
        shows = media.kind == "video" and (person is None or person.camera is None)
        return self._with(media.user, media.name, True if shows else None)

    def _with(self, user: int, name: str, camera: bool | None) -> Meeting:
        before = self.people.get(user)
        if before is None and len(self.people) >= MAX_PEOPLE:
            return self
        person = before or Person(user)
        person = replace(person, name=name or person.name, camera=person.camera if camera is None else camera)
        return self if person == before else replace(self, people={**self.people, user: person})


_CAMERA: Mapping[int, bool] = {messages.CAMERA_ON: True, messages.CAMERA_OFF: False}
