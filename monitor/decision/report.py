"""The report of one hop of a session, before it is logged or sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from monitor.decision.decide import Decision
from monitor.types import ParticipantKey


@dataclass(frozen=True, slots=True)
class HopReport:
    """The decision of one hop, at `now` on the arrival clock.

    `capture` is the sender's clock at the window's end, None while unknown.
    """

    key: ParticipantKey
    now: float
    capture: float | None
    decision: Decision
    dropped: int = 0
    quality: Mapping[str, float] = field(default_factory=dict)
