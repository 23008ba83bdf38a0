"""Sessions of people who sign in, and what a protected person is told of themselves."""

from __future__ import annotations

from monitor.api.access.roles import Permission, Role
from monitor.api.schemas.base import ClaimGround, Judged, Seq, Shape, Time
from monitor.api.schemas.identities import Day
from monitor.identity.vault.records import IdentityState


class OwnSession(Shape):
    """The session of whoever asks."""

    subject: str
    role: Role
    permissions: list[Permission]
    expires: Time
    csrf: str
    """Send it as `X-CSRF-Token` with every request that changes something."""


class SessionState(Shape):
    """Whether one can sign in here, and who has."""

    sign_in: bool
    session: OwnSession | None
    """Null where the browser that asks has no session, or one that is over."""


class SignedOut(Shape):
    """The session has ended here."""

    provider: str | None
    """Where the browser goes to end the provider's session too; null where there is no such place."""


class Session(Shape):
    """Somebody who is signed in."""

    id: str
    """End it by this."""
    subject: str
    role: Role
    identity: str | None
    begun: Time
    seen: Time
    expires: Time


class Sessions(Shape):
    """Everybody who is signed in, the longest first."""

    sessions: list[Session]


class OwnEnrolment(Shape):
    """How somebody is enrolled."""

    state: IdentityState
    consent_given: Day
    consent_expires: Day | None
    purpose: str


class OwnPresence(Judged):
    """Somebody in a call who is taken to claim one's identity."""

    call: str
    participant: str
    claim: ClaimGround | None
    since: Time


class OwnFinding(Judged):
    """A change of an episode in which somebody claimed one's identity."""

    seq: Seq
    id: str
    action: str
    call: str
    participant: str
    time: Time


class OwnStatus(Shape):
    """What is said of a protected person, for themselves: verdicts and reasons, no scores."""

    identity: str
    enrolment: OwnEnrolment | None
    """Null where nobody is enrolled under the name."""
    calls: list[OwnPresence]
    findings: list[OwnFinding]
    """The newest fifty of the last thousand findings, the newest first."""
