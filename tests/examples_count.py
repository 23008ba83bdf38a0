"""How many examples a property is tried on: a quarter in `make test`; all, and new ones each time, in `make long`."""

from __future__ import annotations

import os

VARIABLE = "EXAMPLES"
SHARE = 4


def all_of_them() -> bool:
    """Whether all examples are tried, and new ones every time."""
    return os.environ.get(VARIABLE) == "all"


def examples(count: int) -> int:
    """Give how many of `count` examples are tried: for properties whose examples take tens of milliseconds."""
    return count if all_of_them() else -(-count // SHARE)
