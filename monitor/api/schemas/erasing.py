"""What was erased, and what had left by then."""

from __future__ import annotations

from typing import Literal

from monitor.api.schemas.base import Seq, Shape, Time


class SentChange(Shape):
    """A change of a finding that had left by a sink."""

    sink: str
    finding: str
    seq: Seq
    accepted: bool
    """False where it was next in line: it may have been sent in that moment."""
    told: Time | None
    """When the sink was first told of the finding; null where that is not known any more."""


class Erasure(Shape):
    """The receipt of findings that were erased; neither the call nor anybody in it is named."""

    id: str
    erased: Time
    erased_by: str
    cause: Literal["person", "participant"]
    findings: list[str]
    """Their ids."""
    changes: list[Seq]
    """The numbers of their changes: subscribers who resume are told of a gap."""
    events: int
    """What was noted of them."""
    labels: int
    """How many of them were labelled."""
    dead_letters: int
    """How many of their changes sinks had refused for good."""
    sent: list[SentChange]
    """What cannot be recalled."""
    cleaned: bool
    """False while another process keeps the database from giving up the freed bytes; the server tries again."""
    note: str
