"""The messages of the WebSocket `/v1/alerts`, subprotocol `sidewitness.alerts.v1`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from monitor.api.schemas.base import (
    ClaimGround,
    DetectorScore,
    Evidence,
    EvidencedScore,
    Judged,
    Reason,
    Seq,
    Shape,
    Time,
)


class Subscribe(Shape):
    """The client's first message."""

    type: Literal["subscribe"]
    token: str | None = None
    """A page of the sidecar whose browser has signed in leaves it out: the session's cookie stands for it."""
    after: Seq | None = None
    """The last `seq` that the client has; null for only what is new."""
    states: bool = False
    """Whether to send a `state` at every hop."""


class Ping(Shape):
    """What a client may send at any time after it has subscribed, to see that the server still answers."""

    type: Literal["ping"]


class Pong(Shape):
    """Answers a ping, after what waited before it."""

    type: Literal["pong"]


class Hello(Shape):
    """Answers a subscription."""

    type: Literal["hello"]
    seq: Seq
    """The newest finding at that moment."""


class RequestedAction(Shape):
    """An action that a policy has ordered."""

    action: Literal["ask_to_verify", "mute", "remove", "end_call"]
    id: str
    """Of the request: `GET /v1/actions/{id}`."""
    confirm: bool
    """Whether somebody must confirm it first."""
    dry_run: bool
    """Whether it is only noted down."""
    expires: Time | None
    """Until when it can be confirmed; null for one that is done without."""
    link: str | None
    """Of the page where it can be; null where the policy has no `link_base`."""


class Handling(Shape):
    """What a policy made of a finding when it was written."""

    kind: Literal["finding", "suspicion", "unverified"]
    drill: bool
    groups: list[str]
    """The groups of the policy that the participant is in."""
    notify: list[str] | None
    """The sinks that are told; null for every one."""
    held: dict[str, Literal["cool_down", "quiet_hours"]]
    """The groups that hold something back, and why."""
    dry_run: bool
    """Whether every group that acts is on trial: actions are noted down and not done."""
    actions: list[RequestedAction]


class FindingMessage(Judged):
    """One change of a suspicious episode; durable, resumable, sent at least once, deduplicable by `seq`."""

    type: Literal["finding"]
    seq: int = Field(ge=1)
    """Numbers the change."""
    id: str
    """Names the episode."""
    kind: Literal["finding", "suspicion", "unverified"]
    """What it is about: an alert, or one of the two that only a policy tells of."""
    drill: bool
    """Whether it is of a drill: it says nothing of anybody."""
    severity: Literal["high", "medium", "low", "info"]
    """How urgent it is."""
    action: Literal["opened", "updated", "closed"]
    call: str
    participant: str
    identity: str | None
    """Whom the participant claims to be; null where nobody is claimed."""
    claim: ClaimGround | None
    """Null where nobody is claimed, and in findings of versions that did not know."""
    time: Time
    scores: dict[str, DetectorScore]
    """By detector."""
    evidence: dict[str, Evidence]
    """By detector."""
    handling: Handling | None
    """What the policy made of it; null where there is none, and for who may not see scores."""


class StateMessage(Judged):
    """What one hop decided of a participant; not kept."""

    type: Literal["state"]
    call: str
    participant: str
    time: Time
    scores: dict[str, EvidencedScore]
    """By detector."""
    statistic: float | None
    """The evidence gathered; null where it is none or infinite."""
    threshold: float
    """An alert is raised when the statistic passes it."""
    quality: dict[str, float | None]
    """Of the media: size of the face, frames a second, items dropped and so on."""


class Unmonitored(Shape):
    """Watching a participant stopped for more than 2 seconds, or goes on; not kept: `GET /v1/calls` says how it is."""

    type: Literal["unmonitored"]
    action: Literal["began", "resumed", "left"]
    """`left`: they left the call without having been watched again."""
    call: str
    participant: str
    time: Time
    since: Time
    """When watching stopped."""
    seconds: float
    """For how long it has."""
    reason: Reason
    """Why it stopped."""


class Gap(Shape):
    """What the client asked for is no longer kept, or was taken away."""

    type: Literal["gap"]
    after: Seq
    """The findings that follow have numbers above this one."""


class Tampered(Shape):
    """A finding was changed in the journal after it was committed, and is not sent."""

    type: Literal["tampered"]
    seq: Seq
    """Its number: resume after it."""
