"""Log odds that the voice of a moment is another's: all that agreement shows, fused by logistic regression. Pure.

The agreement of two seconds alone says little of somebody whose lips hardly move. How far it stands above that of other
offsets, whether the call has one steady offset at which lips and voice clearly meet, and how much the lips moved at all
say what it is worth. As in speaker verification, scores and measures of their quality are fused by one linear rule,
fitted to people's own voices against others' (Brümmer et al., "Fusion of heterogeneous speaker recognition systems",
IEEE TASLP 2007; Garcia-Romero et al., "Using quality measures for multilevel speaker recognition", 2006).

The rule holds from the first seconds on: what the past shows counts by how much of it there is. It is a score like any
other: what it is worth as evidence is said by the calibration, whose people were never in the rule that scores them.
"""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass, fields
from typing import Protocol

import numpy as np

FILE = "fusion.json"
SCHEMA = 1
# From here on the past says all that it can.
FULL_PAST_SECONDS = 8.0
MAX_SPREAD_FRAMES = 4.0


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known at one hop.

    Agreement of the newest seconds, of the window and of the past, each less what its offset and its wandering cost;
    `brief_clearness`, by how much the newest seconds' agreement stands above that of offsets which are not beside it;
    `movement` of their lips, 1 - |mean vector|^2 in 0..1; and of the past, weighed by `length` in 0..1: its
    `clearness`, how far its offset is `established`, and the `spread` of that in frames.
    """

    brief: float
    window: float
    past: float
    brief_clearness: float
    movement: float
    length: float
    clearness: float
    established: float
    spread: float

    @classmethod
    def of(
        cls,
        agreements: tuple[float, float, float],
        brief_clearness: float,
        movement: float,
        past_seconds: float,
        clearness: float,
        established: float,
        spread: float,
    ) -> Moment:
        """Weigh what the past shows by its `past_seconds` of speech."""
        length = min(past_seconds / FULL_PAST_SECONDS, 1.0)
        return cls(
            *agreements,
            brief_clearness,
            movement,
            length,
            length * clearness,
            length * established,
            length * min(spread, MAX_SPREAD_FRAMES),
        )


MEASURES = tuple(field.name for field in fields(Moment))
AGREEMENTS = ("brief", "window", "past")


class Rule(Protocol):
    """What gives a moment its log odds: a `Fusion`, or what notes moments to fit one to."""

    @property
    def slope(self) -> float:
        """By how much the log odds rise when all agreement falls by one."""
        ...

    def log_odds(self, moment: Moment) -> float:
        """Higher where the voice is rather another's."""
        ...


@dataclass(frozen=True, slots=True)
class Fusion:
    """Weights of a moment's measures, in their order, and the constant beside them; natural logarithm of odds."""

    weights: tuple[float, ...]
    bias: float

    def log_odds(self, moment: Moment) -> float:
        """Higher where the voice is rather another's."""
        return self.bias + float(np.dot(self.weights, astuple(moment)))

    @property
    def slope(self) -> float:
        """By how much the log odds rise when all agreement falls by one."""
        return -sum(self.weights[MEASURES.index(name)] for name in AGREEMENTS)

    def to_bytes(self) -> bytes:
        """Write JSON."""
        weights = dict(zip(MEASURES, self.weights, strict=True))
        raw = {"schema": SCHEMA, "weights": weights, "bias": self.bias}
        return (json.dumps(raw, indent=1) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Fusion:
        """Read what `to_bytes` wrote; raises `ValueError` or `KeyError` for anything else."""
        raw = json.loads(data)
        if raw["schema"] != SCHEMA or set(raw["weights"]) != set(MEASURES):
            raise ValueError("schema")
        found = cls(tuple(float(raw["weights"][name]) for name in MEASURES), float(raw["bias"]))
        if not np.isfinite([*found.weights, found.bias]).all():
            raise ValueError("weights")
        return found
