"""The table of who works: rows as JSON, made by the tests, and as Markdown for docs/interop.md.

`python -m tests.interop.results FILE.json docs/interop.md` writes the table between the two marks of the page.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- table: made by make interop -->", "<!-- end of the table -->"


@dataclass(frozen=True)
class Row:
    """A client or a way there, its version, what it sends, and the settings that it needs."""

    client: str
    version: str
    sends: str
    settings: str = ""


class Results:
    """Rows with how they went, in the order in which they were tried."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []

    def add(
        self, row: Row, *, failed: str | None = None, states: Sequence[str] = (), gone_seconds: float | None = None
    ) -> None:
        """Note how one went; `states` are the reasons or verdicts that were given, hop by hop."""
        told = [reason for reason, _ in groupby(states)]
        self._rows.append({**asdict(row), "failed": failed, "states": told, "gone_seconds": gone_seconds})

    def write(self, path: Path) -> None:
        """Write them, with the date."""
        path.parent.mkdir(parents=True, exist_ok=True)
        value = {"date": datetime.now(UTC).date().isoformat(), "rows": self._rows}
        path.write_text(json.dumps(value, indent=2) + "\n")


def table(results: dict[str, Any]) -> str:
    """Return the rows as a Markdown table, under a line that says when they were made."""
    lines = [
        f"Made on {results['date']}.",
        "",
        "| who or what | version | sends | settings | works | states |",
        "|---|---|---|---|---|---|",
    ]
    for row in results["rows"]:
        works = "yes" if row["failed"] is None else f"no: {row['failed'].splitlines()[0][:120]}"
        cells = (row["client"], row["version"], row["sends"], row["settings"] or "none", works, _states(row["states"]))
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _states(states: Sequence[str]) -> str:
    """Each once, in the order in which they came first."""
    return ", ".join(f"`{state}`" for state in dict.fromkeys(states))


def main(source: Path, page: Path) -> None:
    """Put the table into the page."""
    head, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, tail = rest.partition(END)
    made = table(json.loads(source.read_text()))
    page.write_text(f"{head}{BEGIN}\n\n{made}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
