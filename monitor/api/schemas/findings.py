"""Findings and their cases over HTTP, and what subscribers are told of a case."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from monitor.api.schemas.base import Reason, Seq, Shape, Time
from monitor.api.schemas.messages import FindingMessage

LabelName = Literal["true", "false", "unsure"]
StateName = Literal["open", "acknowledged", "closed"]


class Note(Shape):
    """What somebody wrote down."""

    time: Time
    actor: str
    text: str


class Told(Shape):
    """Who was told, and by which sink."""

    time: Time
    whom: str
    sink: str


class Action(Shape):
    """Something that the policy does."""

    id: str
    action: str
    state: Literal["proposed", "confirmed", "refused", "done", "failed"]
    time: Time
    """Of its newest step."""
    actor: str
    """Of its newest step."""
    confirmed_by: str | None
    details: dict[str, Any]


class Challenge(Shape):
    """A verification on another channel."""

    id: str
    made: Time
    made_by: str
    answered: Time | None
    answered_by: str | None
    outcome: str | None
    """Null until somebody has carried it out."""
    details: dict[str, Any]


class Case(Shape):
    """What people and the policy did about a finding.

    Whoever is not told scores is told `state` and `label`: names are null and lists empty.
    """

    state: StateName
    """`closed` by the label `true` or `false`; `unsure` leaves it acknowledged."""
    assignee: str | None
    acknowledged_by: str | None
    label: LabelName | None
    """Whether it was a fraud; null where nobody has said."""
    labelled_by: str | None
    labelled: Time | None = None
    """When; null where nobody has said."""
    notes: list[Note]
    told: list[Told]
    actions: list[Action]
    challenges: list[Challenge]
    events: int
    """How many there are."""
    updated: Time | None
    """When the newest was; null where there is none."""


class Event(Shape):
    """Something that was done about a finding."""

    seq: int = Field(ge=1)
    """Numbers the event among those of all findings."""
    event: str
    """`acknowledged`, `assigned`, `noted`, `labelled`, `told`, `action_proposed` and so on; there may be more."""
    time: Time
    actor: str
    """The subject of a token or login, or `policy`."""
    details: dict[str, Any]


class FoundFinding(FindingMessage):
    """A change of a finding; where findings are searched for, its newest one, with what follows here."""

    opened: Time | None = None
    """When it began; only there in a search."""
    changes: int | None = None
    """How many changes are kept; only there in a search."""
    found: Reason | None = None
    """What it rested on at first; only there in a search."""
    case: Case | None = None
    """Only there in a search."""


class Findings(Shape):
    """A page: changes of findings, oldest first; or findings, newest first."""

    findings: list[FoundFinding]
    next: Seq | None
    """Ask with this as `after` for what follows; in a search as `before`, null where nothing does."""
    gap: Seq | None = None
    """Only there where findings up to this number are no longer kept, or were taken away, and were asked for."""
    tampered: list[Seq] | None = None
    """Only there where findings with these numbers were changed after they were committed: they are not served."""


class Conditions(Shape):
    """The last minute before a change, and with what it was judged; fields may be missing in findings of before."""

    statistic: float | None = None
    """The evidence gathered."""
    threshold: float | None = None
    quality: dict[str, float | None] | None = None
    """Of the media, at that moment."""
    ranges: dict[str, list[float | None]] | None = None
    """Of each measure of `quality`, the lowest and the highest of the minute."""
    points: list[list[Any]] | None = None
    """`[seconds before, statistic, verdict]`, one a second, the oldest first."""
    packs: dict[str, str] | None = None
    """The SHA-256 of the model of each pack that was installed."""


class Change(FindingMessage):
    """A change of a finding, with the conditions it was judged in."""

    conditions: Conditions
    """Empty for whoever is not told scores, and in findings of versions that did not keep them."""


class Finding(Shape):
    """A finding, whole."""

    id: str
    changes: list[Change]
    """Oldest first."""
    tampered: list[Seq]
    """Numbers of changes that somebody altered after they were committed: they are not served."""
    case: Case
    events: list[Event]
    """Oldest first; empty for whoever is not told scores."""
    events_tampered: list[int]
    """Numbers of events that somebody altered after they were committed: they do not count."""


class EventOrder(Shape):
    """What somebody does about a finding."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, extra="forbid")

    event: Literal["acknowledged", "assigned", "noted", "labelled"]
    to: str | None = Field(default=None, min_length=1, max_length=128)
    """Of `assigned`: who; null for nobody."""
    text: str | None = Field(default=None, min_length=1, max_length=2000)
    """Of `noted`: what is noted; it may be there beside the others, too."""
    label: LabelName | None = None
    """Of `labelled`."""


class Recorded(Shape):
    """An event that was written, and the case after it."""

    event: Event
    case: Case


class CaseMessage(Shape):
    """A case changed; not kept: `GET /v1/findings/{finding}` says how it is."""

    type: Literal["case"]
    finding: str
    """The `id` of the finding."""
    event: str
    time: Time
    actor: str | None = None
    """Not there for whoever is not told scores."""
    state: StateName
    label: LabelName | None
    assignee: str | None = None
    """Not there for whoever is not told scores."""
