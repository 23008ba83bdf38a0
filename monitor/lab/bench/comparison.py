"""Two benchmarks beside each other: old, new, how many times, and what makes the comparison doubtful. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from engines.errors import SidewitnessError

Change = Literal["better", "worse", "same", ""]

# Two runs of the same code on a quiet machine differ by so much.
NOISE_SHARE: Final = 0.1
MACHINE: Final = ("processor", "cores", "memory_gb", "system", "python")
SETTINGS: Final = ("clip", "loop_seconds", "participants", "engine", "enrolled", "cores", "seconds")
# Units of which more is better; of all others less is.
HIGHER_IS_BETTER_UNITS: Final = frozenset({"x real time", "participants", "per s", "%", "times"})
# Of people who were shed or judged neither more nor less is better: it depends on how many came.
NEUTRAL_UNITS: Final = frozenset({"people"})


class CompareError(SidewitnessError):
    """The old benchmark cannot be read; the message is one line that says what to do."""

    exit_status = 2


@dataclass(frozen=True, slots=True)
class ComparedMeasurement:
    """One row of both; `change` is empty where one has no value, and "same" within the noise of a quiet machine."""

    name: str
    unit: str
    old: float | None
    new: float | None

    @property
    def ratio(self) -> float | None:
        """New over old; None where one is missing or the old one is 0."""
        return None if self.old is None or self.new is None or self.old == 0 else self.new / self.old

    @property
    def change(self) -> Change:
        """Which way it went."""
        if self.ratio is None or self.ratio <= 0 or self.unit in NEUTRAL_UNITS:
            return ""
        if 1 / (1 + NOISE_SHARE) <= self.ratio <= 1 + NOISE_SHARE:
            return "same"
        return "better" if (self.ratio > 1) == (self.unit in HIGHER_IS_BETTER_UNITS) else "worse"


@dataclass(frozen=True, slots=True)
class Comparison:
    """All rows, new ones in their order and then those that only the old one has, and sentences of doubt."""

    rows: tuple[ComparedMeasurement, ...]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        names = ("name", "unit", "old", "new", "ratio", "change")
        return {"rows": [{name: getattr(row, name) for name in names} for row in self.rows], "notes": list(self.notes)}


def compare(old: Any, new: Mapping[str, Any]) -> Comparison:
    """Compare what two runs of `sidewitness bench --json` said; raises `CompareError` for something else."""
    before, after = _values(old), _values(new)
    units = {**_units(old), **_units(new)}
    names = [*after, *(name for name in before if name not in after)]
    rows = tuple(ComparedMeasurement(name, units[name], before.get(name), after.get(name)) for name in names)
    return Comparison(rows, (*_differences(old, new), *_doubts(old, new)))


def _values(run: Any) -> dict[str, float | None]:
    try:
        rows = {str(row["name"]): row["value"] for row in run["rows"]}
        rows |= {_speed_name(row): row["items_per_second"] for row in run.get("engines") or ()}
        parts = [run["machine"], run["settings"]]
    except (AttributeError, KeyError, TypeError):
        rows, parts = {}, []
    numbers = all(value is None or isinstance(value, int | float) for value in rows.values())
    if not (rows and numbers and all(isinstance(part, dict) for part in parts)):
        raise CompareError(
            "what is compared with is no benchmark: give the bench.json of an earlier --out, or what --json printed"
        )
    return rows


def _units(run: Mapping[str, Any]) -> dict[str, str]:
    units = {str(row["name"]): str(row.get("unit", "")) for row in run["rows"]}
    return units | {_speed_name(row): "per s" for row in run.get("engines") or ()}


def _speed_name(row: Mapping[str, Any]) -> str:
    return f"{row['pack']}, {row['engine']}, batch {row['batch']}"


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    machines = _unlike(old["machine"], new["machine"], MACHINE)
    versions = _unlike(*(run["machine"].get("versions", {}) for run in (old, new)))
    settings = _unlike(old["settings"], new["settings"], SETTINGS)
    notes = []
    if machines:
        notes.append(f"These are different machines ({'; '.join(machines)}): the ratios say nothing of the code.")
    if versions:
        notes.append(f"Versions differ: {'; '.join(versions)}.")
    if settings:
        notes.append(f"What was measured differs: {'; '.join(settings)}.")
    return notes


def _unlike(old: Mapping[str, Any], new: Mapping[str, Any], names: Sequence[str] | None = None) -> list[str]:
    compared = names if names is not None else sorted({*old, *new})
    unlike = [name for name in compared if old.get(name) != new.get(name)]
    return [f"{name} {_known_value(old.get(name))} before, {_known_value(new.get(name))} now" for name in unlike]


def _known_value(value: Any) -> str:
    return "unknown" if value is None else str(value)


def _doubts(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    busy = [name for name, run in (("old", old), ("new", new)) if any("conclude" in n for n in run.get("notes", ()))]
    return [f"The {name} run says itself that the machine was busy." for name in busy]
