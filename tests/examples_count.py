"""How many examples a property is tried on: a quarter in `make test`, all of them in `make long`."""

from __future__ import annotations

import os

VARIABLE = "EXAMPLES"
SHARE = 4


def examples(count: int) -> int:
    """Give how many of `count` examples are tried: for properties whose examples take tens of milliseconds."""
    return count if os.environ.get(VARIABLE) == "all" else -(-count // SHARE)
