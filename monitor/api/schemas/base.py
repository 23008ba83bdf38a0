"""What several published shapes share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from monitor.types import Verdict

TIME_PATTERN = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$"

Time = Annotated[str, Field(pattern=TIME_PATTERN, description="RFC 3339, UTC, with milliseconds.")]
Seq = Annotated[int, Field(ge=0, description="Number of a finding in the journal; 0 is before the first.")]
# Not the enumeration `Reason`: new ones may be added.
Reason = Annotated[str, Field(description="Why; docs/api.md lists them, and new ones may be added.")]
Evidence = Annotated[dict[str, Any], Field(description="What the score rests on, by detector; see docs/api.md.")]


# Not the enumeration: there may be more grounds.
ClaimGround = Annotated[
    str,
    Field(
        description="By what they claim the identity: `stated`, `platform_id`, `verified_email`, `account` or "
        "`display_name`, which anybody may choose."
    ),
]


class Shape(BaseModel):
    """Base of the published shapes: every field is always there unless it says otherwise, and fields may be added."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class DetectorScore(Shape):
    """A detector's score, or why it has none."""

    score: float | None
    """Higher is more suspicious; null where there is none."""
    p_value: float | None
    """Probability of a score at least as suspicious from a genuine participant; null where not calibrated."""
    reason: Reason | None
    """Why there is no score; null where there is one."""


class EvidencedScore(DetectorScore):
    """A detector's score with what it rests on."""

    evidence: Evidence


class Judged(Shape):
    """What is said of somebody."""

    verdict: Verdict
    reason: Reason | None
    """Why nothing can be said, or what the suspicion rests on; null for `bona_fide`."""
