"""Results of a benchmark, and costs, for the tests of plans."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from monitor.host.planning.costs import UnitCosts, costs_of

# A result of one machine, of no concern to what a release ships.
RESULT = Path(__file__).with_name("result.json")


def result(rows: dict[str, float | None] | None = None, **parts: Any) -> dict[str, Any]:
    """A result, with some rows and parts put in the place of its own; a row that is None is taken out."""
    read: dict[str, Any] = json.loads(RESULT.read_text())
    values = {row["name"]: row["value"] for row in read["rows"]} | (rows or {})
    read["rows"] = [{"name": name, "value": value} for name, value in values.items() if value is not None]
    return read | parts


def costs(rows: dict[str, float | None] | None = None, **parts: Any) -> UnitCosts:
    """The costs of such a result."""
    return costs_of(result(rows, **parts), "a test")
