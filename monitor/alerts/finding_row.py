"""A finding as a row of the journal."""

from __future__ import annotations

from typing import Any

from monitor.alerts.finding import Finding
from monitor.alerts.plain import encode
from monitor.types import rfc3339


def finding_row(finding: Finding) -> dict[str, Any]:
    """Return the columns of a finding but its number and links."""
    return {
        "id": finding.id,
        "step": finding.step,
        "action": finding.action,
        "call": finding.key.call,
        "participant": finding.key.participant,
        "identity": finding.key.identity,
        "claim": finding.key.claim and str(finding.key.claim),
        "time": rfc3339(finding.time),
        "verdict": finding.verdict,
        "reason": finding.reason,
        "scores": encode(finding.scores),
        "evidence": encode(finding.evidence),
        "handling": None if finding.handling is None else encode(finding.handling),
        "conditions": encode(finding.conditions) if finding.conditions else None,
    }
