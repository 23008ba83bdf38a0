"""Actions, verifications on another channel, the policy and drills over HTTP."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from monitor.api.schemas.base import Reason, Shape, Time
from monitor.api.schemas.messages import RequestedAction
from monitor.types import Verdict

Name = Literal["ask_to_verify", "mute", "remove", "end_call"]
Held = Literal["cool_down", "quiet_hours"]
Kind = Literal["finding", "suspicion", "unverified"]


class Challenge(Shape):
    """A verification on another channel: whoever is reached there is told the words, and says them in the call."""

    words: list[str]
    verify_by: str | None
    """A number to call or a link, as it was enrolled; null where none is known."""
    made: Time
    outcome: Literal["passed", "failed", "unreachable"] | None
    answered_by: str | None
    seconds: float | None
    """From the making of it to its outcome."""


class Action(Shape):
    """An action that a policy has ordered."""

    finding: str
    id: str
    action: Name
    state: Literal["proposed", "confirmed", "refused", "done", "failed"]
    call: str | None
    participant: str | None
    identity: str | None
    """Whom the participant claims to be."""
    groups: list[str]
    confirm: bool
    """Whether somebody must say that it may be done."""
    expires: Time | None
    """Until when that can be said."""
    dry_run: bool
    drill: bool
    confirmed_by: str | None
    why: str | None
    """Why it was not done, or a remark on what was."""
    challenge: Challenge | None
    """Of `ask_to_verify`."""


class ChallengeAnswer(Shape):
    """What came of a verification."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, extra="forbid")

    outcome: Literal["passed", "failed", "unreachable"]


class Because(Shape):
    """A group that somebody is in, and why."""

    name: str
    because: list[str]


class Would(Shape):
    """What an episode of a kind would lead to now."""

    at: Kind
    notify: list[str] | None
    """The sinks that would be told; null for every one."""
    actions: list[dict[str, Any]]
    held: dict[str, Held]
    by: list[str]
    dry_run: bool


class Now(Shape):
    """How it stands with somebody."""

    time: Time
    verdict: Verdict
    reason: Reason | None
    unclear_since: Time | None
    """Since when nothing can be said; null where something can."""


class OpenEpisode(Shape):
    """Something that is open about somebody, and who was told."""

    kind: Kind
    id: str
    notify: list[str] | None


class PolicyExplanation(Shape):
    """Which rules hold for a participant, from which group, and what they would do."""

    call: str
    participant: str
    identity: str | None
    groups: list[Because]
    settings: dict[str, dict[str, Any] | None]
    """By name: the value and the groups that it is from; null where the settings of the server hold."""
    now: Now
    would: list[Would]
    open: list[OpenEpisode]


class DrillOrder(Shape):
    """A drill that is asked for; the call and the identity say which groups are practised."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, extra="forbid")

    call: str | None = Field(default=None, max_length=128)
    identity: str | None = Field(default=None, max_length=128)


class DrillSink(Shape):
    """A sink that is told of a drill."""

    sink: str
    seconds: float | None
    """From the beginning of the drill until the sink had accepted it; null while it has not."""


class Drill(Shape):
    """A drill, and how far it has come."""

    id: str
    """Of its finding."""
    call: str
    identity: str | None
    groups: list[str]
    held: dict[str, Held]
    actions: list[RequestedAction]
    sinks: list[DrillSink]
    finished: bool
    """Whether every sink that is told has accepted it."""
