"""The live call set up in another way, beside the one with default settings: on a PostgreSQL, with hosts on Ray."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

from monitor.lab.bench import enrolment, live
from monitor.lab.bench.budgets import AGE, BUDGETS, CORES, FIRST_STATE, MEMORY, READY, SOCKET, Measurement
from monitor.lab.bench.live import LiveCall
from monitor.lab.bench.own_schema import own_schema
from monitor.lab.bench.processes import BenchSetup, Progress
from monitor.lab.bench.ray_node import ray_node

PLAIN: Final = "default"
POSTGRESQL: Final = "PostgreSQL"
IDLE_MEMORY: Final = "memory without participants"


@dataclass(frozen=True, slots=True)
class LiveVariant:
    """A live call by the name of how it was set up."""

    name: str
    call: LiveCall

    def values(self) -> dict[str, float | None]:
        """Return what is compared, by the names of the rows and in their units."""
        call = self.call
        return {
            CORES: call.cores_per_participant,
            "sidecar without participants": call.idle_cores,
            "score age p50": call.age_p50,
            AGE: call.age_p95,
            SOCKET: None if call.socket_p95 is None else 1000 * call.socket_p95,
            FIRST_STATE: max(call.first_state, default=None),
            READY: median(call.ready),
            MEMORY: call.memory_mb,
            IDLE_MEMORY: call.baseline_mb,
        }

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {"name": self.name, "values": self.values(), "call": asdict(self.call)}


UNITS: Final = {
    **{name: unit for name, (unit, _) in BUDGETS.items()},
    "sidecar without participants": "cores",
    "score age p50": "s",
    IDLE_MEMORY: "MB",
}


def ray_name(hosts: int) -> str:
    """Say how many hosts judge on Ray."""
    return f"Ray, {hosts} host{'' if hosts == 1 else 's'}"


def variant_rows(variant: LiveVariant, plain: LiveVariant | None) -> list[Measurement]:
    """Make the rows of a variant; each names what the call with default settings had."""
    beside = plain.values() if plain is not None else {}
    rows = []
    for name, value in variant.values().items():
        was = beside.get(name)
        note = f"{was:.3g} {UNITS[name]} by {PLAIN}, in this run" if was is not None else ""
        rows.append(Measurement(f"{name}, {variant.name}", value, UNITS[name], note=note))
    return rows


async def on_database(
    stream: Path, clip: Path, setup: BenchSetup, url: str, participants: int, seconds: float, progress: Progress
) -> LiveVariant:
    """Measure with all stores in a schema of its own of a PostgreSQL; raises `BenchError`.

    Another vault with another key: the stream's person is enrolled anew in it, from `clip`.
    """
    folder = setup.folder / "database"
    folder.mkdir()
    with own_schema(url) as inside:
        chosen = replace(setup, folder=folder, settings={"SIDEWITNESS_DATABASE_URL": inside})
        if chosen.identity is not None:
            progress("enrolling in the database", 0.0)
            await enrolment.enrol_clip(clip, folder, setup.engine, chosen.settings)
        return LiveVariant(POSTGRESQL, await live.measure(stream, chosen, participants, seconds, progress))


async def on_ray(
    stream: Path, setup: BenchSetup, hosts: int, participants: int, seconds: float, progress: Progress
) -> LiveVariant:
    """Measure with hosts as actors of a cluster of one node, whose processes count too; raises `BenchError`."""
    progress("starting Ray", 0.0)
    async with ray_node(setup, hosts) as node:
        chosen = replace(setup, processes=hosts, settings=node.settings, also=(*setup.also, node.pid))
        return LiveVariant(ray_name(hosts), await live.measure(stream, chosen, participants, seconds, progress))
