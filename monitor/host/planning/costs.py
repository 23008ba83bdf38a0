"""What one participant costs, read off a result of `sidewitness bench`. Pure.

The figures that come with the package (`reference.json` beside this file) have the same form. What a result does not
hold is not guessed: a row without which nothing can be planned is asked for, any other is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from engines.errors import SidewitnessError

CORES: Final = "cores per live 720p30 participant"
PAIRWISE: Final = "comparing a face, per enrolled participant"
PERSONA: Final = "comparing movement, per enrolled participant"
IDLE_CORES: Final = "sidecar without participants"
AGE: Final = "score age p95"
FIRST_VERDICT: Final = "first verdict after media"
MEMORY: Final = "memory per participant"
FIRST_MEMORY: Final = "memory of the first participant"
IDLE_MEMORY: Final = "memory without participants"
STATE_BYTES: Final = "bytes of a state message"
# Engines that compute on a GPU: a result of one of them was measured on a machine with one.
GPU_ENGINES: Final = ("tensorrt", "pytorch")
# What a result says of a run that was disturbed.
DOUBTFUL: Final = "conclude nothing"


class PlanError(SidewitnessError):
    """Nothing can be planned from this; the message is one line that says what to do."""

    exit_status = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitCosts:
    """What was measured; cores, seconds, megabytes (1e6 bytes) and kilobits a second.

    `claimed_cores` is a participant whom every detector judges, of which `comparing_cores` go into comparing them with
    the person whom they claim to be. A call of `held` kept its scores young in one process on `held_cores` cores; None
    where no capacity was measured. Where several processes were compared with one, it is what `held_processes` of them
    held. `first_mb` is the first participant of a process, who pays for what all share, and
    `each_mb` every other. `doubts` are what the result itself says against it.
    """

    source: str
    machine: str
    engine: str
    participants: int
    claimed_cores: float
    comparing_cores: float
    idle_cores: float
    held: int | None
    held_cores: int
    held_processes: int
    age_p95_seconds: float | None
    first_verdict_seconds: float | None
    idle_mb: float
    first_mb: float
    each_mb: float
    video_kbps: float
    state_bytes: float | None
    doubts: tuple[str, ...] = ()

    @property
    def on_gpu(self) -> bool:
        """Whether the engine of the measurement computes on a GPU."""
        return self.engine.startswith(GPU_ENGINES)

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {**asdict(self), "doubts": list(self.doubts)}


def costs_of(result: Any, source: str) -> UnitCosts:
    """Read the costs off a result of `sidewitness bench --json`; `source` names it. Raises `PlanError`."""
    try:
        rows = {str(row["name"]): row["value"] for row in result["rows"]}
        machine, settings = result["machine"], result["settings"]
        notes = [str(note) for note in result.get("notes", ())]
        held, held_cores, held_processes = _held(result)
        found = {name: None if value is None else float(value) for name, value in rows.items()}
        described = f"{machine['processor']}, {machine['cores']} cores"
        engine, people = str(settings["engine"]), int(settings["participants"])
        kbps = float(settings["kilobits_per_second"])
    except (AttributeError, KeyError, TypeError, ValueError):
        raise PlanError(
            f"{source} is no result of a benchmark: give the bench.json of `sidewitness bench --out`"
        ) from None
    if held == 0:
        raise PlanError(f"{source}: not even one participant held on that machine: measure another")
    return UnitCosts(
        source=source,
        machine=described,
        engine=engine,
        participants=people,
        claimed_cores=_needed(found, CORES, source),
        comparing_cores=(found.get(PAIRWISE) or 0.0) + (found.get(PERSONA) or 0.0),
        idle_cores=found.get(IDLE_CORES) or 0.0,
        held=held,
        held_cores=held_cores,
        held_processes=held_processes,
        age_p95_seconds=found.get(AGE),
        first_verdict_seconds=found.get(FIRST_VERDICT),
        idle_mb=_needed(found, IDLE_MEMORY, source),
        first_mb=_needed(found, FIRST_MEMORY, source),
        each_mb=_needed(found, MEMORY, source),
        video_kbps=kbps,
        state_bytes=found.get(STATE_BYTES),
        doubts=tuple(note for note in notes if DOUBTFUL in note),
    )


def _held(result: Any) -> tuple[int | None, int, int]:
    """Return how many held, on how many cores, judged by how many processes."""
    cores, growth, capacity = int(result["settings"]["cores"]), result.get("growth"), result.get("capacity")
    if growth is not None:
        return int(growth["several"]), cores, int(growth["processes"])
    return (None, cores, 1) if capacity is None else (int(capacity["participants"]), int(capacity["cores"]), 1)


def _needed(found: Mapping[str, float | None], name: str, source: str) -> float:
    value = found.get(name)
    if value is None or value < 0.0 or (name == CORES and value == 0.0):
        raise PlanError(f"{source} does not say {name}: run `sidewitness bench --out DIR` with a clip, to its end")
    return value
