"""What of a result of `sidewitness bench` is shipped as the reference figures of plans; the rest stays where it ran.

python -m monitor.lab.bench.reference BENCH.json WHAT > reference.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from monitor.host.planning import costs

# What plans are made of, see `monitor.host.planning.costs`.
ROWS = (
    *(costs.CORES, costs.PAIRWISE, costs.PERSONA, costs.IDLE_CORES, costs.AGE, costs.FIRST_VERDICT),
    *(costs.MEMORY, costs.FIRST_MEMORY, costs.IDLE_MEMORY, costs.STATE_BYTES),
)
KEPT = {
    "machine": ("processor", "cores"),
    "settings": ("engine", "participants", "cores", "kilobits_per_second"),
    "capacity": ("participants", "cores"),
    "growth": ("processes", "several"),
}


def reference_of(result: dict[str, Any], about: str) -> dict[str, Any]:
    """Return the reference figures of a result; `about` says what run it was. Raises `PlanError` for no such result."""
    costs.costs_of(result, "the result")
    rows = {row["name"]: row for row in result["rows"]}
    parts = {
        part: {name: result[part][name] for name in names}
        for part, names in KEPT.items()
        if result.get(part) is not None
    }
    return {
        "about": about,
        **parts,
        "rows": [{field: rows[name][field] for field in ("name", "value", "unit")} for name in ROWS if name in rows],
        "notes": result.get("notes", []),
    }


def text_of(reference: dict[str, Any]) -> str:
    """Return reference figures as they are shipped: a line for each part, and for each row."""
    rows = ",\n".join(f"  {json.dumps(row)}" for row in reference["rows"])
    parts = {name: json.dumps(value) for name, value in reference.items()} | {"rows": f"[\n{rows}\n ]"}
    return "{\n" + ",\n".join(f" {json.dumps(name)}: {text}" for name, text in parts.items()) + "\n}\n"


if __name__ == "__main__":
    sys.stdout.write(text_of(reference_of(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2])))
