"""One step of a participant in a thread: what has come is decoded and pushed through the session, which may decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from monitor.decision.decide import DecisionState
from monitor.decision.report import HopReport
from monitor.host.backlog import Backlog
from monitor.types import FloatArray, MediaItem, ParticipantKey


class SessionLike(Protocol):
    """What a step needs of `monitor.session.session.Session`: synchronous, used by one thread at a time."""

    @property
    def evidence(self) -> DecisionState:
        """The state of its decisions."""
        ...

    @property
    def memories(self) -> Mapping[str, Any]:
        """What its detectors go on with in the next publication, by name."""
        ...

    def resume(self, evidence: DecisionState, memories: Mapping[str, Any] | None = None) -> None:
        """Go on from a state and memories, before anything else is asked."""
        ...

    @property
    def looks(self) -> int:
        """How many looks of the face there are to compare."""
        ...

    def face(self) -> FloatArray:
        """Compute identity vectors (N, I) of these looks; blocks."""
        ...

    def link(self, evidence: DecisionState) -> None:
        """Go on from a state in the middle of a call, between two steps."""
        ...

    def push(self, item: MediaItem) -> None:
        """Take one item."""
        ...

    def tick(self, now: float) -> HopReport | None:
        """Decide, if a hop has passed at the arrival clock `now`."""
        ...

    def rest(self, now: float) -> HopReport | None:
        """Abstain, if a hop has passed: there was no time to look."""
        ...


@runtime_checkable
class Lightening(Protocol):
    """A session that can be judged at less cost."""

    def lighten(self, light: bool) -> None:
        """Look less often from now on, or as always; called between two items."""
        ...


Clock = Callable[[], float]
SessionFactory = Callable[[ParticipantKey], SessionLike]


@dataclass(frozen=True, slots=True)
class StepResult:
    """The report of a hop that was due, when it was decided, and how long the step took; monotonic seconds."""

    report: HopReport | None
    decided_at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class SessionStep:
    """A job for the pool; call it with the items that are decoded already. `light` asks for less work."""

    session: SessionLike
    backlog: Backlog
    now: float
    clock: Clock
    light: bool = False

    def __call__(self, items: list[MediaItem]) -> StepResult:
        """Judge `items`, to which those that are decoded now are added in front."""
        began = self.clock()
        if isinstance(self.session, Lightening):
            self.session.lighten(self.light)
        items[:0] = self.backlog.decode()
        for item in items:
            self.session.push(item)
        report = self.session.tick(self.now)
        decided_at = self.clock()
        return StepResult(report, decided_at, decided_at - began)
