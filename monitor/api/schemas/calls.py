"""Calls, findings and health over HTTP."""

from __future__ import annotations

from typing import Literal

from monitor.api.schemas.base import ClaimGround, EvidencedScore, Judged, Seq, Shape, Time
from monitor.api.schemas.messages import FindingMessage


class Participant(Judged):
    """Who is judged, and what is said of them now."""

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


class Call(Shape):
    """A call and who is judged in it."""

    call: str
    participants: list[Participant]


class Calls(Shape):
    """Every call in which somebody is judged now."""

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


class Findings(Shape):
    """A page of findings, oldest first."""

    findings: list[FindingMessage]
    next: Seq
    """Ask with this as `after` for what follows."""
    gap: Seq | None = None
    """Only there where findings up to this number are no longer kept, or were taken away, and were asked for."""
    tampered: list[Seq] | None = None
    """Only there where findings with these numbers were changed after they were committed: they are not served."""


class Alive(Shape):
    """The process lives."""

    status: Literal["ok"]


class Ready(Shape):
    """Whether publications are taken and findings can be written."""

    status: Literal["ready", "draining", "not ready"]


class Readiness(Ready):
    """The same, with why not."""

    journal: str
    """`ok`, or one line that says why findings cannot be written and what to do."""
    waiting: int
    """Findings not yet committed."""


class ProblemDetails(Shape):
    """An error (RFC 9457)."""

    type: Literal["about:blank"]
    title: str
    status: int
    detail: str
    """What to do."""
