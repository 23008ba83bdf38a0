"""Protected identities and their enrolments over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from monitor.api.schemas.base import Shape, Time
from monitor.api.schemas.erasing import Erasure
from monitor.identity.vault.records import IdentityState, VersionState

Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="A day, YYYY-MM-DD.")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Point = Annotated[list[float], Field(min_length=2, max_length=2)]


class Consent(Shape):
    """On whose word somebody is enrolled."""

    by: str
    given: Day
    expires: Day | None
    purpose: str
    evidence_sha256: str | None


class Version(Shape):
    """One enrolment of an identity."""

    version: int
    state: VersionState
    enrolled: Time
    enrolled_by: str
    approved: Time | None
    approved_by: str | None
    consent: Consent
    bytes: int
    """Size of the template; 0 once it is destroyed."""
    tags: list[str]
    """What the person is grouped by in policies."""
    verify_by: bool
    """Whether it is known how they are reached to be asked whether it is they."""


class Identity(Shape):
    """A protected identity."""

    id: str
    name: str
    state: IdentityState
    version: Version
    """The enrolment that calls are compared with; where there is none, the newest."""
    pending: int | None
    """The enrolment that waits for approval."""
    versions: int


class Policy(Shape):
    """What an enrolment needs here."""

    consent_required: bool
    consent_days: int
    second_approver: bool
    max_upload_bytes: int


class Identities(Shape):
    """Everybody who is enrolled, by name."""

    identities: list[Identity]
    policy: Policy


class Source(Shape):
    """A clip that a reference was made from."""

    name: str
    sha256: Sha256
    seconds: float
    width: int
    height: int
    shots: int


class ReferenceSummary(Shape):
    """What a reference was made from, and when."""

    made: str
    outdated: bool
    """Whether it was made by other encoders and cannot be compared with."""
    moments: int
    conditions: list[str]
    sources: list[Source]


class IdentityDetail(Identity):
    """A protected identity with its history."""

    history: list[Version]
    """Every enrolment, newest first."""
    reference: ReferenceSummary | None


class Decided(Shape):
    """The enrolment that was approved or rejected."""

    version: int
    state: VersionState


class Receipt(Shape):
    """Proof of an erasure."""

    id: str
    identity: str
    erased: Time
    erased_by: str
    cause: Literal["asked", "consent_expired"]
    versions: int
    destroyed: int
    """Templates whose keys were destroyed now."""
    audit: int
    """The line of the audit log."""
    audit_hash: str
    cleaned: bool
    """Whether the database has given up the freed bytes."""


class Erased(Shape):
    """An identity was erased."""

    receipt: Receipt | None
    """Null where only findings were there to be erased."""
    findings: Erasure | None = None
    """There where findings were asked for, too; null where there were none."""


class Quality(Shape):
    """How good a reference is."""

    face_seconds: float
    speech_seconds: float
    clips: int
    shots: int
    gallery: int
    face_px: float
    yaw: Point
    """Degrees between which nine in ten of the moments lie."""
    pitch: Point
    rungs: list[str]
    one_person_checked: bool
    movement_seconds: float
    voice_seconds: float | None = None
    """Of speech that the voice was learnt from; only there where a voice is learnt here."""
    voice_above_noise_db: float | None = None
    """How far the voice lies above the noise of the recordings, the median of them."""
    voice_band_hz: float | None = None
    """The highest frequency that any of the recordings holds."""
    advice: list[str]


class ListedEnrolment(Shape):
    """An enrolment that waits, runs or ended lately."""

    id: str
    identity: str
    state: Literal["waiting", "running", "done", "refused", "failed", "cancelled"]
    stage: str
    progress: float = Field(ge=0.0, le=1.0)
    since: Time
    reasons: list[str]
    """Of a refusal, each a sentence that says what to do."""
    quality: Quality | None = None
    """Only there where it is done."""
    enrolled: Decided | None = None
    """Only there where it is done."""


class Enrolment(ListedEnrolment):
    """An enrolment with the outlines of the moments that it took."""

    poses: list[list[Point]] | None = None
    """Only there where it is done."""


class Enrolments(Shape):
    """The enrolments that are remembered, oldest first."""

    enrolments: list[ListedEnrolment]
