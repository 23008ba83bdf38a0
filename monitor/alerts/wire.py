"""The messages of `sidewitness.alerts.v1`, as dictionaries ready to be encoded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from monitor.alerts.finding import Finding, describe_scores
from monitor.decision.report import HopReport
from monitor.types import Verdict, rfc3339

Message = dict[str, Any]
SUBPROTOCOL = "sidewitness.alerts.v1"


class Severity(StrEnum):
    """How urgent something is; each sink has its own scale for it."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


def severity_of(finding: Finding) -> Severity:
    """Return how urgent a change of a finding is."""
    if finding.action == "closed":
        return Severity.INFO
    if finding.kind == "unverified":
        return Severity.LOW
    return OF_VERDICT.get(finding.verdict, Severity.INFO)


# By the word, as the journal keeps it.
OF_VERDICT: Mapping[str, Severity] = {Verdict.ALERT: Severity.HIGH, Verdict.SUSPECT: Severity.MEDIUM}


def hello(seq: int) -> Message:
    """Greet a subscriber; `seq` is the newest number in the journal at that moment."""
    return {"type": "hello", "seq": seq}


def pong() -> Message:
    """Answer a client's `ping`."""
    return {"type": "pong"}


def gap(after: int) -> Message:
    """Say that findings are gone, pruned or taken away: those that follow have numbers above `after`."""
    return {"type": "gap", "after": after}


def tampered(seq: int) -> Message:
    """Say that a finding was changed in the journal after it was committed: it is not sent."""
    return {"type": "tampered", "seq": seq}


def finding_message(seq: int, finding: Finding) -> Message:
    """Tell one change of an episode; `id` names the episode, `seq` the change."""
    return {
        "type": "finding",
        "seq": seq,
        "id": finding.id,
        "kind": finding.kind,
        "drill": finding.drill,
        "severity": str(severity_of(finding)),
        "action": finding.action,
        "call": finding.key.call,
        "participant": finding.key.participant,
        "identity": finding.key.identity,
        "claim": finding.key.claim and str(finding.key.claim),
        "time": rfc3339(finding.time),
        "verdict": finding.verdict,
        "reason": finding.reason,
        "scores": finding.scores,
        "evidence": finding.evidence,
        "handling": finding.handling,
    }


def unmonitored(place: tuple[str, str], action: str, time: str, since: str, seconds: float, reason: str) -> Message:
    """Say that watching a participant of a call stopped, or goes on, or ended with them; `since` is when it stopped."""
    call, participant = place
    return {
        "type": "unmonitored",
        "action": action,
        "call": call,
        "participant": participant,
        "time": time,
        "since": since,
        "seconds": seconds,
        "reason": reason,
    }


def state_message(report: HopReport, time: datetime) -> Message:
    """Say what this hop decided of a participant."""
    decision = report.decision
    return {
        "type": "state",
        "call": report.key.call,
        "participant": report.key.participant,
        "time": rfc3339(time),
        "verdict": str(decision.verdict),
        "reason": decision.reason and str(decision.reason),
        "scores": describe_scores(decision.scores, evidence=True),
        "statistic": decision.statistic,
        "threshold": decision.threshold,
        "quality": {**report.quality, "dropped": report.dropped},
    }
