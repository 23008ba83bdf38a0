"""The coverage of the calls here: what the host and the sources see goes in, what is told goes to subscribers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from monitor.alerts.wire import Message, unmonitored
from monitor.host.coverage import Change, Coverage, Outcome, Place, Watch
from monitor.identity.claimed import Claimed
from monitor.types import ParticipantKey, Profile, Reason, Verdict, rfc3339
from plugins.base import Listed

# Beyond the time that something is due at: what is over by less than a timer's resolution is not over yet.
MARGIN_SECONDS = 0.01


class Follower(Protocol):
    """Who is told of whom is judged, as it happens, on the event loop."""

    def judged(self, key: ParticipantKey) -> None:
        """Somebody is judged from now on."""
        ...

    def ended(self, place: Place) -> None:
        """Somebody is judged no more."""
        ...

    def hop(self, state: Mapping[str, Any]) -> None:
        """Something was decided: a `state` message."""
        ...


class Watches(Protocol):
    """Who keeps the coverage of the calls; here, or in another process."""

    def judged(self, key: ParticipantKey) -> None:
        """Take note that somebody is judged from now on."""
        ...

    def ended(self, place: Place) -> None:
        """Take note that somebody is judged no more."""
        ...

    def hop(self, state: Mapping[str, Any]) -> None:
        """Take a `state` message."""
        ...

    def listed(self, source: int, call: str, listed: Sequence[Listed]) -> None:
        """Take what a source lists in a call."""
        ...

    def lost(self, source: int, brought: Sequence[ParticipantKey]) -> None:
        """Take note that a source has failed, and whom it had brought."""
        ...

    def closed(self, source: int) -> None:
        """Take note that a source has ended."""
        ...

    def forget(self, call: str) -> None:
        """Know nothing of a call any more."""
        ...

    def calls(self) -> set[str]:
        """Return the calls in which somebody is."""
        ...

    def describe(self, call: str, judged: Mapping[str, Message]) -> Message | None:
        """Describe a call with the entries of those who are judged; None where nobody is in it."""
        ...

    def close(self) -> None:
        """Tell nothing any more."""
        ...


class Watching:
    """Keeps the coverage, on the event loop; `tell` is given each message, and the monotonic time that it is of."""

    def __init__(self, tell: Callable[[Message, float], None], clock: Callable[[], float]) -> None:
        self._tell, self._clock = tell, clock
        self._coverage = Coverage()
        self._profiles: dict[Place, Profile] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._followers: list[Follower] = []

    def follow(self, follower: Follower) -> None:
        """Tell somebody of everybody who is judged from now on."""
        self._followers.append(follower)

    def judged(self, key: ParticipantKey) -> None:
        """Take note that somebody is judged from now on."""
        self._take(self._coverage.judged((key.call, key.participant), self._clock()))
        for follower in self._followers:
            follower.judged(key)

    def ended(self, place: Place) -> None:
        """Take note that somebody is judged no more."""
        self._take(self._coverage.ended(place, self._clock()))
        for follower in self._followers:
            follower.ended(place)

    def hop(self, state: Mapping[str, Any]) -> None:
        """Take a `state` message."""
        scored = any(score["score"] is not None for score in state["scores"].values())
        place = (state["call"], state["participant"])
        self._take(self._coverage.hop(place, self._clock(), state["reason"], scored))
        for follower in self._followers:
            follower.hop(state)

    def listed(self, source: int, call: str, listed: Iterable[Listed]) -> None:
        """Take what a source lists in a call."""
        present = {one.participant: one for one in listed}
        self._profiles |= {(call, name): one.profile or Profile() for name, one in present.items()}
        reasons = {name: one.unwatched for name, one in present.items()}
        self._take(self._coverage.listed(source, call, reasons, self._clock()))

    def lost(self, source: int, brought: Iterable[ParticipantKey], reason: Reason = Reason.SOURCE_LOST) -> None:
        """Take note that a source has failed, or is moved, and whom it had brought."""
        places = tuple((key.call, key.participant) for key in brought)
        self._take(self._coverage.lost(source, places, self._clock(), reason))

    def host_lost(self, source: int, places: Sequence[Place], reason: Reason = Reason.HOST_LOST) -> None:
        """Take note that what judged these is gone, or lets them go; `source` is a number that no source has."""
        self._take(self._coverage.host_lost(source, tuple(places), self._clock(), reason))
        for place in places:
            for follower in self._followers:
                follower.ended(place)

    def closed(self, source: int) -> None:
        """Take note that a source has ended."""
        self._take(self._coverage.closed(source, self._clock()))

    def forget(self, call: str) -> None:
        """Know nothing of a call any more."""
        self._take(self._coverage.forget(call, self._clock()))

    def close(self) -> None:
        """Tell nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    def counts(self) -> tuple[int, int]:
        """Return how many are in calls, and how many of them are watched now."""
        here = [watch for watch in self._coverage.people.values() if watch.here]
        return len(here), sum(watch.reason is None for watch in here)

    def here(self, place: Place) -> bool:
        """Whether somebody is in a call, as far as is known."""
        return place in self._coverage.people and self._coverage.people[place].here

    def calls(self) -> set[str]:
        """Return the calls in which somebody is."""
        return self._coverage.calls()

    def describe(self, call: str, judged: Mapping[str, Message]) -> Message | None:
        """Describe a call with the entries of those who are judged; None where nobody is in it."""
        now, people = self._clock(), self._coverage.of(call)
        here = {name: watch for name, watch in people.items() if watch.here}
        if not here:
            return None
        participants = [
            {**(judged.get(name) or self._entry(call, name, watch)), "coverage": self._describe(watch, now)}
            for name, watch in sorted(here.items())
        ]
        return {"call": call, "participants": participants, "coverage": _summary(people.values(), now)}

    def _entry(self, call: str, name: str, watch: Watch) -> Message:
        """Describe somebody who is not judged."""
        profile = self._profiles.get((call, name), Profile())
        claimed = Claimed(ParticipantKey(call, name), profile.display_name)
        return {
            "participant": name,
            "identity": None,
            "verdict": str(Verdict.INCONCLUSIVE),
            "reason": str(watch.reason),
            "since": self._time(watch.since),
            "scores": {},
            "statistic": None,
            "threshold": None,
            "quality": {},
            **claimed.describe(),
            "continues": None,
        }

    def _describe(self, watch: Watch, now: float) -> Message:
        spans = [(span.since, span.until, span.reason) for span in watch.spans]
        return {
            "watched": watch.reason is None,
            "reason": watch.reason and str(watch.reason),
            "since": self._time(watch.since),
            **_seconds([watch], now),
            "spans": [
                {"from": self._time(since), "to": self._time(until), "reason": reason and str(reason)}
                for since, until, reason in spans
            ],
        }

    def _take(self, outcome: Outcome) -> None:
        before, (self._coverage, changes) = self._coverage, outcome
        for change in changes:
            self._tell(self._message(change), change.at)
        if self._coverage is not before:
            self._profiles = {place: one for place, one in self._profiles.items() if place in self._coverage.people}
            self._schedule()

    def _message(self, change: Change) -> Message:
        seconds = round(change.at - change.since, 3)
        return unmonitored(
            change.place, change.action, self._time(change.at), self._time(change.since), seconds, str(change.reason)
        )

    def _schedule(self) -> None:
        self.close()
        due = self._coverage.due
        if due is not None:
            delay = max(0.0, due - self._clock()) + MARGIN_SECONDS
            self._timer = asyncio.get_running_loop().call_later(delay, self._advance)

    def _advance(self) -> None:
        self._take(self._coverage.advance(self._clock()))

    def _time(self, at: float) -> str:
        return rfc3339(datetime.now(UTC) - timedelta(seconds=self._clock() - at))


def _summary(people: Iterable[Watch], now: float) -> Message:
    everybody = list(people)
    here = [watch for watch in everybody if watch.here]
    watched = sum(watch.reason is None for watch in here)
    return {"listed": len(here), "watched": watched, **_seconds(everybody, now)}


def _seconds(people: Iterable[Watch], now: float) -> Message:
    """Return for how long people were here and watched, added up, and for how long not, by reason."""
    total: dict[Reason | None, float] = {}
    for watch in people:
        for reason, seconds in watch.seconds_by_reason(now).items():
            total[reason] = total.get(reason, 0.0) + seconds
    return {
        "seconds": round(sum(total.values()), 3),
        "watched_seconds": round(total.pop(None, 0.0), 3),
        "unwatched_seconds": {str(reason): round(seconds, 3) for reason, seconds in total.items()},
    }
