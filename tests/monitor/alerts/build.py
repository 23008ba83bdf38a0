"""Values for the tests of this folder."""

from __future__ import annotations

import functools
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from monitor.alerts.finding import Finding
from monitor.alerts.journal import Entry, Journal
from monitor.types import ParticipantKey

KEY = ParticipantKey("board", "p1", "Ada")
NOON = datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC)


def finding(episode: str = "e", step: int = 0, action: Literal["opened", "updated", "closed"] = "opened") -> Finding:
    scores = {"synchrony": {"score": -0.1, "p_value": 0.001, "reason": None}}
    evidence = {"synchrony": {"offsets_ms": [0, 40]}}
    return Finding(episode, step, action, KEY, NOON, "alert", "lips_disagree_with_voice", scores, evidence)


def journal(folder: Path, max_findings: int = 100_000) -> Journal:
    opened = Journal(f"sqlite:///{folder / 'journal.sqlite'}", max_findings)
    opened.open()
    return opened


def findings_of(opened: Journal) -> list[Finding]:
    """Every finding of a journal in which nothing was changed."""
    rows = opened.read(0)
    findings = [row.finding for row in rows if isinstance(row, Entry)]
    assert len(findings) == len(rows)
    return findings


@functools.cache
def _template() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        journal(Path(folder)).close()
        return (Path(folder) / "journal.sqlite").read_bytes()


def ready_journal(folder: Path, max_findings: int = 100_000) -> Journal:
    """A journal that need not be migrated: migrating takes longer than most tests."""
    (folder / "journal.sqlite").write_bytes(_template())
    return Journal(f"sqlite:///{folder / 'journal.sqlite'}", max_findings)
