"""What `sidewitness doctor` says of one thing; imports nothing, for the command line loads it at its start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CheckState = Literal["ok", "failed", "optional"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `optional` means absent and not needed to run; `remedy` says how to get it."""

    name: str
    state: CheckState
    detail: str
    remedy: str = ""


def check_of(name: str, error: Exception) -> Check:
    """Make a failed check of an engine's error, which reads "what is wrong: what to do"."""
    detail, _, remedy = str(error).rpartition(": ")
    return Check(name, "failed", detail, remedy)
