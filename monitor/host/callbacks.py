"""Where a participant's words go, and what they ask of those around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from monitor.alerts.finding import Finding
from monitor.alerts.wire import Message
from monitor.decision.report import HopReport
from monitor.host.departed import Departed
from monitor.host.remembering import Remembers


class Tells(Protocol):
    """Where states go, and what everybody is told once."""

    def state(self, message: Message, decided_at: float | None = None) -> None:
        """Publish a state."""
        ...

    def notice(self, message: Message, decided_at: float | None = None) -> None:
        """Publish what everybody is told once."""
        ...


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Where states and findings go; `finding` must not block. Both get the monotonic time of the decision.

    `remembers` says whether whoever leaves now may come back to `memory`. `packs` are the hashes of the model packs
    that judge, by name, for the findings. `checkpoint` is told at every hop what would be known of the participant if
    they left now, and who they were when they left under another name; None where nobody asks. `beside` puts into a
    report what it is beside those of the others in the call.
    """

    state: Callable[[Message, float], None]
    finding: Callable[[Finding, float], None]
    remembers: Callable[[], bool]
    memory: Remembers
    rejoin_seconds: float = 0.0
    packs: Mapping[str, str] = field(default_factory=dict)
    checkpoint: Callable[[Departed, str | None], None] | None = None
    beside: Callable[[HopReport], HopReport] = lambda report: report
