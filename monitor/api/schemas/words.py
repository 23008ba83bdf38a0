"""What verdicts, reasons and detectors are called."""

from __future__ import annotations

from monitor.api.schemas.base import Shape


class VerdictWords(Shape):
    """A verdict, and what it says where its reason is missing or has no words."""

    label: str
    title: str
    detail: str


class ReasonWords(Shape):
    """A reason beside each verdict that may have it."""

    title: str
    brief: str | None
    """Stands beside one detector's score where the title would say too much there; null where the title does."""
    details: dict[str, str]
    """By verdict."""


class DetectorWords(Shape):
    """What a detector is called and what it asks."""

    name: str
    label: str
    """One word for a column or a card."""
    question: str
    one_sided: bool
    """Whether a low score clears nobody."""
    needs_identity: bool
    """Whether it compares with the reference of the claimed identity."""


class Words(Shape):
    """The words for people."""

    verdicts: dict[str, VerdictWords]
    reasons: dict[str, ReasonWords]
    """By reason; those of every installed detector, too."""
    claims: dict[str, str]
    """By what somebody is taken to claim an identity; follows its name."""
    detectors: list[DetectorWords]
    """In the order to show them in."""
