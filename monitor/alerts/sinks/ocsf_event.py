"""A finding as a Detection Finding of OCSF, the Open Cybersecurity Schema Framework (https://schema.ocsf.io). Pure.

An episode is one finding: its changes share `finding_info.uid` and are told apart by `metadata.uid`. What is no finding
(a gap, a finding that was changed) is a base event.
"""

from __future__ import annotations

from typing import Any, Final

from monitor.alerts.finding import Finding
from monitor.alerts.sinks.event import PRODUCT, Event, milliseconds, product_version
from monitor.alerts.wire import Severity
from monitor.types import Verdict

# The attribute `anomaly_analyses` is in it.
SCHEMA_VERSION: Final = "1.6.0"
CATEGORY_FINDINGS, CLASS_DETECTION_FINDING = 2, 2004
ACTIVITIES: Final = {"opened": (1, "Create"), "updated": (2, "Update"), "closed": (3, "Close")}
OTHER: Final = 99
SEVERITIES: Final = {
    Severity.HIGH: (4, "High"),
    Severity.MEDIUM: (3, "Medium"),
    Severity.LOW: (2, "Low"),
    Severity.INFO: (1, "Informational"),
}
STATUS_NEW: Final = (1, "New")
# The schema's own word for an end, Resolved, says that somebody has reviewed it.
STATUS_ENDED: Final = (OTHER, "Ended")
ANALYTIC_LEARNING: Final = (4, "Learning (ML/DL)")


def ocsf_event(event: Event) -> dict[str, Any]:
    """Return the event in the schema."""
    severity_id, severity = SEVERITIES[event.severity]
    common = {
        "severity_id": severity_id,
        "severity": severity,
        "time": milliseconds(event.time),
        "message": event.title,
        "metadata": {
            "version": SCHEMA_VERSION,
            "uid": event.id,
            "sequence": event.seq,
            "event_code": event.kind,
            "product": {"name": PRODUCT, "vendor_name": PRODUCT, "version": product_version()},
        },
    }
    return common | (_finding(event.finding, event.title) if event.finding is not None else _base_event(event))


def _base_event(event: Event) -> dict[str, Any]:
    kind = {"activity_id": OTHER, "activity_name": event.kind, "type_uid": OTHER, "class_uid": 0, "category_uid": 0}
    return {**kind, "class_name": "Base Event", "category_name": "Uncategorized", "unmapped": event.message}


def _finding(finding: Finding, title: str) -> dict[str, Any]:
    activity_id, activity = ACTIVITIES[finding.action]
    closed = finding.action == "closed"
    status_id, status = STATUS_ENDED if closed else STATUS_NEW
    analytic_type_id, analytic_type = ANALYTIC_LEARNING
    time = milliseconds(finding.time)
    info: dict[str, Any] = {
        "uid": finding.id,
        "title": title,
        "types": [finding.reason or finding.verdict],
        "analytic": {"uid": PRODUCT.lower(), "name": PRODUCT, "type_id": analytic_type_id, "type": analytic_type},
        "modified_time": time,
    }
    if finding.action == "opened":
        info["created_time"] = time
    key = finding.key
    made: dict[str, Any] = {
        "activity_id": activity_id,
        "activity_name": activity,
        "type_uid": CLASS_DETECTION_FINDING * 100 + activity_id,
        "type_name": f"Detection Finding: {activity}",
        "class_uid": CLASS_DETECTION_FINDING,
        "class_name": "Detection Finding",
        "category_uid": CATEGORY_FINDINGS,
        "category_name": "Findings",
        "status_id": status_id,
        "status": status,
        "is_alert": finding.verdict == Verdict.ALERT and not closed and not finding.drill,
        "finding_info": info,
        "resources": [{"name": key.participant, "uid": f"{key.call}/{key.participant}", "type": "Participant"}],
        "unmapped": {"call": key.call, "verdict": finding.verdict, "reason": finding.reason, **_of_policy(finding)},
    }
    # Empty lists say nothing, and constraints of the schema are about their members.
    lists = {"evidences": _evidences(finding), "anomaly_analyses": _anomaly_analyses(finding)}
    return made | {name: value for name, value in lists.items() if value}


def _of_policy(finding: Finding) -> dict[str, Any]:
    """Return what a policy makes of it; nothing without one."""
    if finding.handling is None:
        return {}
    return {"kind": finding.kind, "drill": finding.drill, "handling": finding.handling}


def _evidences(finding: Finding) -> list[dict[str, Any]]:
    """Return what each detector said, and whom the participant claims to be; `data` or `user` is in each."""
    evidences: list[dict[str, Any]] = [
        {"name": detector, "uid": f"{finding.id}/{detector}", "data": {**score, "evidence": _of(finding, detector)}}
        for detector, score in finding.scores.items()
    ]
    if finding.key.identity is not None:
        evidences.append({"name": "claimed identity", "user": {"name": finding.key.identity}})
    return evidences


def _of(finding: Finding, detector: str) -> Any:
    return finding.evidence.get(detector, {})


def _anomaly_analyses(finding: Finding) -> list[dict[str, Any]]:
    anomalies = [
        {
            "observation_parameter": f"{detector} {name}",
            "observation_type": "Distribution Analysis",
            "observations": [{"value": str(score[part]), "count": 1}],
        }
        for detector, score in finding.scores.items()
        for part, name in (("score", "score"), ("p_value", "p-value"))
        if score.get(part) is not None
    ]
    target = {"name": f"{finding.key.call}/{finding.key.participant}", "type": "Participant"}
    return [{"analysis_targets": [target], "anomalies": anomalies}] if anomalies else []
