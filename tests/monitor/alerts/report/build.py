"""A finding with all that a report can show, and what a report is made of."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from monitor.alerts.casework.case import fold
from monitor.alerts.casework.events import EventKind
from monitor.alerts.finding import Finding
from monitor.alerts.report.content import CalibrationNote, ChainNote, PackNote, Source
from monitor.decision.words import REASONS
from monitor.detectors import registry
from tests.monitor.alerts.build import KEY, NOON
from tests.monitor.alerts.casework.build import event

QUALITY = {"face_px": 182.4, "fps": 29.8, "clock_uncertainty": 0.004, "dropped": 0.0}
CONDITIONS: dict[str, Any] = {
    "statistic": 9812.0,
    "threshold": 7200.0,
    "quality": QUALITY,
    "ranges": {name: [value / 2, value] for name, value in QUALITY.items()},
    "points": [[float(n - 59), 10.0 ** (n / 15), "suspect"] for n in range(60)],
    "packs": {"speech_lips": "ab" * 32},
}
SCORES: dict[str, dict[str, Any]] = {
    "synchrony": {"score": -0.11, "p_value": 0.002, "reason": None},
    "pairwise": {"score": None, "p_value": None, "reason": "not_enrolled"},
    "persona": {"score": 0.3, "p_value": 0.4, "reason": None},
}
EVIDENCE: dict[str, dict[str, Any]] = {
    "synchrony": {"offsets_ms": [-400.0, 0.0, 400.0], "agreement": [None, 0.1, 0.2]},
    "pairwise": {"made": "2026-03-04T10:00:00.000Z"},
    "persona": {"timeline": [{"at": 1.0, "value": 0.4}, {"at": 2.0, "value": None}, {"at": 3.0, "value": 1.8}]},
}


def changes() -> list[Finding]:
    reason = "lips_disagree_with_voice"
    opening = Finding("e", 0, "opened", KEY, NOON, "alert", reason, SCORES, EVIDENCE, conditions=CONDITIONS)
    closing = Finding("e", 1, "closed", KEY, NOON + timedelta(seconds=90), "inconclusive", "ended")
    return [opening, closing]


def source(**changed: Any) -> Source:
    events = [
        event(1, EventKind.TOLD, actor="policy", whom="the desk", sink="pager"),
        event(2, EventKind.NOTED, text="Called her: <it was her>"),
        event(3, EventKind.ACTION_PROPOSED, actor="policy", id="a", action="mute"),
        event(4, EventKind.CHALLENGE_MADE, id="c"),
        event(5, EventKind.CHALLENGE_ANSWERED, id="c", outcome="failed"),
        event(6, EventKind.CHALLENGE_MADE, id="d"),
        event(7, EventKind.LABELLED, label="false"),
    ]
    made: dict[str, Any] = {
        "changes": changes(),
        "case": fold("e", events),
        "detectors": {info.name: info.label for info in registry.infos()},
        "phrases": {**registry.phrases(), **REASONS},
        "packs": [
            PackNote("speech_lips", "ab" * 32, "3", "Apache-2.0"),
            PackNote("old", "cd" * 32, is_installed=False),
        ],
        "calibrations": [CalibrationNote("synchrony", 226, "speech_lips", "3"), CalibrationNote("x", None, "y", "1")],
        "chains": [
            ChainNote("findings", 2, "ef" * 32),
            ChainNote("casework", 7, "01" * 32, ("case event 3 is missing",)),
        ],
        "made": NOON + timedelta(days=1),
        "version": "1.2.3",
        "window_seconds": 5.0,
    }
    return Source(**{**made, **changed})
