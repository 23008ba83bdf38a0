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


class ContrastWords(Shape):
    """What is said where one of face and voice fits the enrolled recordings and the other does not."""

    title: str
    detail: str


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
    aspect: str | None
    """What of a person it looks at: `face`, `voice`, `movement` or `lips`; null for something else."""
    fits: str
    """What is said beside the label where nothing is unusual."""
    cause: str
    """The reason that a suspicion of it has, unless its score says otherwise."""


class Words(Shape):
    """The words for people."""

    verdicts: dict[str, VerdictWords]
    reasons: dict[str, ReasonWords]
    """By reason; those of every installed detector, too."""
    claims: dict[str, str]
    """By what somebody is taken to claim an identity; follows its name."""
    contrasts: dict[str, ContrastWords]
    """By the `contrast` in the evidence of the detector that does not fit."""
    detectors: list[DetectorWords]
    """In the order to show them in."""
