"""How fast each encoder is in each engine, by batch: one caller, from outside, on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from engines.base import EngineError
from engines.checks.throughput import BATCHES, SECONDS, measure
from engines.load import load_engine, pack_names
from engines.registry import EngineName, engine_names

# What a default run has time for.
QUICK_BATCHES, QUICK_SECONDS = (1, 8), 0.1
# Fits a person once, at enrolment: nothing live waits for it.
ENROLMENT_ONLY_PACKS = ("persona_tokens",)


@dataclass(frozen=True, slots=True)
class EngineSpeed:
    """One pack in one engine at one batch: milliseconds of a call (wall, and processor time), rows a second.

    `gain` is how many times more rows a second it gives than batch 1 of the same pack and engine.
    """

    pack: str
    engine: str
    batch: int
    calls: int
    p50_ms: float
    p95_ms: float
    cpu_ms: float
    items_per_second: float
    gain: float


@dataclass(frozen=True, slots=True)
class EngineSpeeds:
    """The table, and a line for each engine that cannot run here."""

    rows: tuple[EngineSpeed, ...]
    notes: tuple[str, ...]

    def as_json(self) -> list[dict[str, Any]]:
        """Return the rows for programs."""
        return [{name: getattr(row, name) for name in EngineSpeed.__slots__} for row in self.rows]


def measure_all(
    engines: Sequence[EngineName] | None = None,
    batches: Sequence[int] = BATCHES,
    seconds: float = SECONDS,
    packs: Sequence[str] | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> EngineSpeeds:
    """Time every pack in every engine, by default all there are; one that cannot run gives a note in place of rows."""
    rows: list[EngineSpeed] = []
    notes: list[str] = []
    names = [name for name in pack_names() if name not in ENROLMENT_ONLY_PACKS] if packs is None else packs
    pairs = list(product(engine_names() if engines is None else engines, names))
    refused: set[str] = set()
    for number, (engine, pack) in enumerate(pairs):
        progress(number / len(pairs))
        if engine in refused:
            continue
        try:
            rows += _measured(pack, engine, batches, seconds)
        except EngineError as error:
            # The same thing is missing for every pack.
            refused.add(engine)
            notes.append(f"Engine {engine}: {error}.")
    return EngineSpeeds(tuple(rows), tuple(notes))


def _measured(pack: str, engine: EngineName, batches: Sequence[int], seconds: float) -> list[EngineSpeed]:
    built, found = load_engine(pack, engine, wait=True), list[EngineSpeed]()
    for speed in measure(built, batches, seconds):
        base = found[0].items_per_second / found[0].gain if found else speed.items_per_second
        found.append(
            EngineSpeed(
                pack,
                engine,
                speed.batch,
                speed.calls,
                speed.p50_ms,
                speed.p95_ms,
                speed.cpu_ms,
                speed.items_per_second,
                speed.items_per_second / base,
            )
        )
    return found
