"""How much of a call is watched, by participant and over time, and why the rest is not. Pure.

A participant is here from when their platform lists them, or they are judged, until neither is so. They are watched
while they are judged and nothing keeps their media from being seen; silence, or nobody in the picture, is seen. When
watching stops for more than `GRACE_SECONDS` it is told, once, and when it goes on again.

The invariant: for one place what is told alternates: `began`, then `resumed` or `left`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from monitor.types import Reason

GRACE_SECONDS = 2.0
MAX_SPANS = 32
# Of one call, those who left included: who is listed beyond is not shown.
MAX_IN_CALL = 512
# For so long those who left count in their call, and those are shown whose way in is broken.
KEPT_SECONDS = 600.0

# Why somebody is somewhere out there of whom nothing is known now.
LOST = frozenset({Reason.SOURCE_LOST, Reason.HOST_LOST, Reason.HOST_DRAINED})

Place = tuple[str, str]
Action = Literal["began", "resumed", "left"]
# What a hop says that had no score, and why its participant is not watched then.
OBSTACLES: Mapping[str, Reason] = {
    "no_video": Reason.CAMERA_OFF,
    "no_audio": Reason.MUTED,
    "connecting": Reason.WAITING_FOR_PUBLISHER,
    "media_stalled": Reason.WAITING_FOR_PUBLISHER,
    "overloaded": Reason.NOT_WATCHED,
    **{word: Reason(word) for word in ("unsupported_codec", "frame_too_large", "decoder_failed", "keyframe_missing")},
    "session_failed": Reason("session_failed"),
}


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in which somebody was watched (no reason) or not."""

    since: float
    until: float
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Change:
    """What is told: watching has stopped `since` then for `reason`, or goes on after it, or they left meanwhile."""

    place: Place
    action: Action
    at: float
    since: float
    reason: Reason


@dataclass(frozen=True, slots=True)
class Watch:
    """One participant: since when they are as they are, and what was before.

    `source` lists them, `announced` is why it says that they cannot be watched, `obstacle` what the last hop met.
    `gap` is since when they have not been watched, `told` what was told of it. `seconds` are by reason, up to `since`.
    """

    since: float
    source: int | None = None
    judged: bool = False
    announced: Reason | None = None
    obstacle: Reason | None = None
    seen: bool = False
    reason: Reason | None = Reason.WAITING_FOR_PUBLISHER
    gap: float | None = None
    told: Change | None = None
    left: float | None = None
    spans: tuple[Span, ...] = ()
    seconds: Mapping[Reason | None, float] = field(default_factory=dict)

    @property
    def here(self) -> bool:
        """Whether the platform lists them, or they are judged."""
        return self.judged or self.source is not None

    @property
    def _why(self) -> Reason | None:
        """Why they are not watched now; None where they are."""
        if not self.judged:
            return self.announced or Reason.NOT_WATCHED
        # What is scored was seen, whatever the platform says of it.
        return None if self.seen else self.announced or self.obstacle

    def moved(self, now: float, **changes: Any) -> Watch:
        """Return how it is after something has changed."""
        after = replace(self, **changes)
        if not after.here:
            return after if self.left is not None else replace(self._closed(now), **changes, left=now, gap=None)
        reason = after._why
        if self.left is not None:
            return replace(after, since=now, reason=reason, left=None, gap=None if reason is None else now)
        if reason is self.reason:
            return after
        gap = None if reason is None else now if self.reason is None else self.gap
        return replace(self._closed(now), **changes, reason=reason, gap=gap)

    def _closed(self, now: float) -> Watch:
        span = (Span(self.since, now, self.reason),) if now > self.since else ()
        spans = (*self.spans, *span)[-MAX_SPANS:]
        return replace(self, since=now, spans=spans, seconds=self.seconds_by_reason(now))

    def seconds_by_reason(self, now: float) -> dict[Reason | None, float]:
        """Return for how long they were watched (None) and not, by reason."""
        if self.left is not None or now <= self.since:
            return dict(self.seconds)
        return {**self.seconds, self.reason: self.seconds.get(self.reason, 0.0) + now - self.since}


@dataclass(frozen=True, slots=True)
class Coverage:
    """Everybody in every call, by call and participant."""

    people: Mapping[Place, Watch] = field(default_factory=dict)

    def judged(self, place: Place, now: float) -> Outcome:
        """Take note that somebody is judged from now on."""
        # Whoever comes back by a way that was broken is listed anew, or not at all.
        lost = self._at(place, now).announced in LOST
        changes = {"source": None, "announced": None} if lost else {}
        return self._move(place, now, judged=True, obstacle=Reason.WAITING_FOR_PUBLISHER, seen=False, **changes)

    def ended(self, place: Place, now: float) -> Outcome:
        """Take note that somebody is judged no more: they have left, unless they are listed."""
        return self._move(place, now, judged=False) if place in self.people else (self, ())

    def hop(self, place: Place, now: float, reason: str | None, scored: bool) -> Outcome:
        """Take note of what a hop said of somebody, and whether any detector had a score."""
        watch = self.people.get(place)
        obstacle = None if scored or reason is None else OBSTACLES.get(reason)
        if watch is None or not watch.judged or (watch.obstacle, watch.seen) == (obstacle, scored):
            return self, ()
        return self._move(place, now, obstacle=obstacle, seen=scored)

    def listed(self, source: int, call: str, present: Mapping[str, Reason | None], now: float) -> Outcome:
        """Take what a platform lists in a call in place of what it listed there before."""
        before = [place for place, watch in self.people.items() if place[0] == call and watch.source == source]
        gone = [place for place in before if place[1] not in present]
        made, changes = self._each(gone, now, source=None, announced=None)
        room = MAX_IN_CALL - len(made.of(call))
        for participant, announced in present.items():
            place = (call, participant)
            room -= place not in made.people
            if room < 0:
                break
            made, more = made._move(place, now, source=source, announced=announced)
            changes += more
        return made, changes

    def lost(self, source: int, brought: tuple[Place, ...], now: float, reason: Reason = Reason.SOURCE_LOST) -> Outcome:
        """Take note that a way in is broken: whom it listed, and whom it had brought, are somewhere out there."""
        theirs = [p for p, watch in self.people.items() if watch.source == source or p in brought]
        return self._each(theirs, now, source=source, announced=reason)

    def host_lost(
        self, source: int, judged: tuple[Place, ...], now: float, reason: Reason = Reason.HOST_LOST
    ) -> Outcome:
        """Take note that what judged these is gone, which is told at once; `source` lists them until they are back."""
        theirs = [place for place in judged if place in self.people]
        made, changes = self._each(theirs, now, judged=False, source=source, announced=reason)
        people = dict(made.people)
        for place in theirs:
            watch = people[place]
            if watch.gap is not None and watch.told is None:
                began = Change(place, "began", now, watch.gap, reason)
                people[place], changes = replace(watch, told=began), (*changes, began)
        return Coverage(people), changes

    def closed(self, source: int, now: float) -> Outcome:
        """Take note that a source has ended: it lists nobody any more."""
        theirs = [p for p, watch in self.people.items() if watch.source == source]
        return self._each(theirs, now, source=None, announced=None)

    def forget(self, call: str, now: float) -> Outcome:
        """Know nothing of a call any more: whoever was in it has left."""
        theirs = [place for place in self.people if place[0] == call]
        made, changes = self._each(theirs, now, judged=False, source=None, announced=None)
        return Coverage({place: watch for place, watch in made.people.items() if place[0] != call}), changes

    def advance(self, now: float) -> Outcome:
        """Tell of those who have not been watched for too long, and forget those whose time is over."""
        lost = [p for p, w in self.people.items() if _is_lost(w) and now - w.since >= KEPT_SECONDS]
        made, changes = self._each(lost, now, source=None, announced=None)
        people: dict[Place, Watch] = {}
        for place, watch in made.people.items():
            if watch.left is not None and now - watch.left >= KEPT_SECONDS:
                continue
            began = _overdue(place, watch, now)
            changes += (began,) if began is not None else ()
            people[place] = watch if began is None else replace(watch, told=began)
        return Coverage(people), changes

    @property
    def due(self) -> float | None:
        """When `advance` may have something to do; None where it will not."""
        times = [t for watch in self.people.values() if (t := _due(watch)) is not None]
        return min(times, default=None)

    def calls(self) -> set[str]:
        """Return the calls in which somebody is."""
        return {call for (call, _), watch in self.people.items() if watch.here}

    def of(self, call: str) -> dict[str, Watch]:
        """Return everybody in a call, those who left lately, too."""
        return {participant: watch for (name, participant), watch in self.people.items() if name == call}

    def _at(self, place: Place, now: float) -> Watch:
        return self.people.get(place) or Watch(now, left=now)

    def _each(self, places: list[Place], now: float, **changes: Any) -> Outcome:
        made = self
        told: tuple[Change, ...] = ()
        for place in places:
            made, more = made._move(place, now, **changes)
            told += more
        return made, told

    def _move(self, place: Place, now: float, **changes: Any) -> Outcome:
        before = self._at(place, now)
        after = before.moved(now, **changes)
        told: tuple[Change, ...] = ()
        if before.told is not None and (after.left is not None or after.reason is None):
            action: Action = "left" if after.left is not None else "resumed"
            told = (replace(before.told, action=action, at=now),)
            after = replace(after, told=None)
        return Coverage({**self.people, place: after}), told


# What comes of an event: how it is then, and what is to be told.
Outcome = tuple[Coverage, tuple[Change, ...]]


def _overdue(place: Place, watch: Watch, now: float) -> Change | None:
    """Return what is to be told of somebody who has not been watched for too long, if it has not been."""
    if watch.gap is None or watch.reason is None or watch.told is not None or now - watch.gap <= GRACE_SECONDS:
        return None
    return Change(place, "began", now, watch.gap, watch.reason)


def _is_lost(watch: Watch) -> bool:
    return watch.announced in LOST and not watch.judged and watch.left is None


def _due(watch: Watch) -> float | None:
    if watch.left is not None:
        return watch.left + KEPT_SECONDS
    if watch.gap is not None and watch.told is None:
        return watch.gap + GRACE_SECONDS
    return watch.since + KEPT_SECONDS if _is_lost(watch) else None
