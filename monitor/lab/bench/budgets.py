"""What is measured, and what it may cost: the budgets of the design as data. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

State = Literal["ok", "over", "measured", "not measured"]


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit in the unit of its row: an upper one, or a lower one where `at_least`."""

    limit: float
    at_least: bool = False

    def holds(self, value: float) -> bool:
        """Whether a measured value keeps the budget."""
        return value >= self.limit if self.at_least else value <= self.limit

    def used(self, value: float) -> float:
        """Return the share of the budget that a value uses up; above 1 is over."""
        if self.at_least:
            return self.limit / value if value > 0 else float("inf")
        return value / self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One line of the result; `value` is None where it could not be measured, and `note` says why or how."""

    name: str
    value: float | None
    unit: str
    budget: Budget | None = None
    note: str = ""

    @property
    def state(self) -> State:
        """How the value stands to its budget."""
        if self.value is None:
            return "not measured"
        if self.budget is None:
            return "measured"
        return "ok" if self.budget.holds(self.value) else "over"

    def as_json(self) -> dict[str, Any]:
        """Return the row for programs; numbers are not rounded."""
        budget = None if self.budget is None else {"limit": self.budget.limit, "at_least": self.budget.at_least}
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "budget": budget,
            "state": self.state,
            "note": self.note,
        }


CORES: Final = "cores per live 720p30 participant"
LOOP: Final = "event loop per participant"
FACE: Final = "landmarks and crops per frame"
PAIRWISE: Final = "comparing a face, per enrolled participant"
PERSONA: Final = "comparing movement, per enrolled participant"
AGE: Final = "score age p95"
SOCKET: Final = "decision to socket p95"
FIRST_STATE: Final = "first state after media"
FIRST_VERDICT: Final = "first verdict after media"
READY: Final = "start to ready"
MEMORY: Final = "memory per participant"
SCAN: Final = "scan of the recorded clip, one core"
SCAN_ALL: Final = "scan of the clip, every detector, one core"
SCAN_720: Final = "scan of the 720p30 stream, one core"
CAPACITY: Final = "live participants a core"
GROWTH: Final = "participants of several processes to those of one"
KILL_TOLD: Final = "host killed: told after"
KILL_AGAIN: Final = "host killed: judged again after"
OVERLOAD_AGE: Final = "score age p95 of the others, overloaded"
OVERLOAD_GROWTH: Final = "memory growth per participant, overloaded"
SOAK: Final = "memory slope of a participant, virtual time"

# What the live part measures: listed as not measured where it cannot run.
LIVE: Final = (CORES, LOOP, AGE, SOCKET, FIRST_STATE, FIRST_VERDICT, READY, MEMORY)

BUDGETS: Final[Mapping[str, tuple[str, Budget]]] = {
    CORES: ("cores", Budget(0.25)),
    LOOP: ("cores", Budget(0.03)),
    FACE: ("ms", Budget(1.6)),
    PAIRWISE: ("cores", Budget(0.06)),
    PERSONA: ("cores", Budget(0.06)),
    AGE: ("s", Budget(1.0)),
    SOCKET: ("ms", Budget(50.0)),
    FIRST_STATE: ("s", Budget(5.0)),
    FIRST_VERDICT: ("s", Budget(5.0)),
    READY: ("s", Budget(3.0)),
    MEMORY: ("MB", Budget(60.0)),
    SCAN: ("x real time", Budget(10.0, at_least=True)),
    SCAN_ALL: ("x real time", Budget(10.0, at_least=True)),
    SCAN_720: ("x real time", Budget(10.0, at_least=True)),
    CAPACITY: ("participants", Budget(4.0, at_least=True)),
    GROWTH: ("times", Budget(1.4, at_least=True)),
    KILL_TOLD: ("s", Budget(2.0)),
    KILL_AGAIN: ("s", Budget(10.0)),
    OVERLOAD_AGE: ("s", Budget(1.0)),
    # Of what is measured in megabytes of a process less than one is called none.
    OVERLOAD_GROWTH: ("MB", Budget(1.0)),
    SOAK: ("MB/h", Budget(1.0)),
}


def measured(name: str, value: float | None, note: str = "") -> Measurement:
    """Make the row of one of the `BUDGETS`."""
    unit, budget = BUDGETS[name]
    return Measurement(name, value, unit, budget, note)
