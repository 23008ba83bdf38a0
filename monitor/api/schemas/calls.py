"""Calls and health over HTTP."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from monitor.api.schemas.base import ClaimGround, EvidencedScore, Judged, Reason, Shape, Time


class Span(Shape):
    """A stretch of time in which somebody was watched, or was not."""

    start: Time = Field(alias="from")
    end: Time = Field(alias="to")
    reason: Reason | None
    """Why they were not watched; null where they were."""


class Watched(Shape):
    """For how long people were in a call, and for how much of it they were watched, added up."""

    seconds: float
    watched_seconds: float
    unwatched_seconds: dict[str, float]
    """By reason."""


class ParticipantCoverage(Watched):
    """How much of a participant's time in the call was watched."""

    watched: bool
    reason: Reason | None
    """Why they are not watched now; null where they are."""
    since: Time
    """Since when it is so."""
    spans: list[Span]
    """What was before, the oldest first; the newest 32."""


class CallCoverage(Watched):
    """How much of a call was watched, of those too who left it in the last ten minutes."""

    listed: int
    """How many are in the call."""
    watched: int
    """How many of them are watched now."""


class Participant(Judged):
    """Who is in a call, and what is said of them now; who is not judged is `inconclusive`, for the reason why not."""

    participant: str
    identity: str | None
    """Whom they claim to be; null where nobody is claimed."""
    claim: ClaimGround | None
    """Null where nobody is claimed."""
    name: str | None
    """What the platform says that they are called; null where it does not."""
    in_doubt: list[str]
    """Who is enrolled and may be meant by a name or a rule, where that is not sure: they are not compared with."""
    resembles: str | None
    """Who is enrolled and may be taken for the claim, or for the participant, by name; null where nobody is."""
    continues: str | None
    """Who left the call and has the same face: what was found then goes on; null where nobody did."""
    since: Time
    """Since when the verdict is as it is."""
    scores: dict[str, EvidencedScore]
    """By detector; empty before the first hop."""
    statistic: float | None
    threshold: float | None
    quality: dict[str, float | None]
    coverage: ParticipantCoverage
    """Whether they are watched, and how much they were."""


class Call(Shape):
    """A call and who is in it."""

    call: str
    participants: list[Participant]
    coverage: CallCoverage


class Calls(Shape):
    """Every call in which somebody is now."""

    calls: list[Call]


class Considered(Shape):
    """One identity that a participant may claim."""

    claim: ClaimGround
    identity: str
    enrolled: bool
    """Whether it can be compared with now."""
    match: Literal["full", "part"] | None
    """How much of its name theirs is; null where no name was looked at."""
    lookalike: bool
    """Whether it is their name only by letters that look like it."""


class Explanation(Shape):
    """By what a participant is taken to claim an identity, as it was when they joined."""

    call: str
    participant: str
    identity: str | None
    claim: ClaimGround | None
    name: str | None
    in_doubt: list[str]
    resembles: str | None
    considered: list[Considered]
    """All that was weighed, the decisive first."""


class Alive(Shape):
    """The process lives."""

    status: Literal["ok"]


class Ready(Shape):
    """Whether publications are taken and findings can be written."""

    status: Literal["ready", "draining", "not ready"]


class Hosts(Shape):
    """How many processes judge now, of how many there are to be."""

    alive: int
    of: int


class Readiness(Ready):
    """The same, with why not."""

    journal: str
    """`ok`, or one line that says why findings cannot be written and what to do."""
    waiting: int
    """Findings not yet committed."""
    hosts: Hosts
    """The processes that judge."""


class ProblemDetails(Shape):
    """An error (RFC 9457)."""

    type: Literal["about:blank"]
    title: str
    status: int
    detail: str
    """What to do."""
