"""An event in ArcSight's Common Event Format, within a line of syslog (RFC 5424). Pure.

Nothing that a call or a participant is named can end a field or a line: what has a meaning in the format is escaped,
and control characters are spaces.
"""

from __future__ import annotations

import re

from monitor.alerts.plain import encode
from monitor.alerts.sinks.event import PRODUCT, Event, milliseconds, product_version
from monitor.alerts.wire import Severity
from monitor.types import rfc3339

# CEF's scale from 0 to 10, and RFC 5424 section 6.2.1: critical, warning, notice, informational.
CEF_SEVERITIES = {Severity.HIGH: 9, Severity.MEDIUM: 6, Severity.LOW: 4, Severity.INFO: 3}
SYSLOG_SEVERITIES = {Severity.HIGH: 2, Severity.MEDIUM: 4, Severity.LOW: 5, Severity.INFO: 6}
CONTROLS = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")
MAX_VALUE = 4000
# RFC 5424 section 7.3.1.
MAX_SEQUENCE_ID = 2**31 - 1


def cef(event: Event) -> str:
    """Return the event as one line."""
    head = (PRODUCT, PRODUCT, product_version(), event.kind, event.title, str(CEF_SEVERITIES[event.severity]))
    fields = " ".join(f"{name}={_escape(value, '=')}" for name, value in _extension(event))
    return "|".join(("CEF:0", *(_escape(part, "|") for part in head), fields))


def syslog_line(event: Event, facility: int, hostname: str) -> bytes:
    """Return the message of RFC 5424, in UTF-8 and without frame."""
    priority = facility * 8 + SYSLOG_SEVERITIES[event.severity]
    data = f'[meta sequenceId="{(event.seq - 1) % MAX_SEQUENCE_ID + 1}"]'
    head = f"<{priority}>1 {rfc3339(event.time)} {hostname} sidewitness - {event.kind} {data}"
    return f"{head} {cef(event)}".encode(errors="replace")


def framed(message: bytes) -> bytes:
    """Return a message with its length before it (octet counting, RFC 5425 section 4.3)."""
    return b"%d %s" % (len(message), message)


def _extension(event: Event) -> list[tuple[str, str]]:
    fields = [("rt", str(milliseconds(event.time))), ("cn1Label", "seq"), ("cn1", str(event.seq))]
    fields += [("cs1Label", "event_id"), ("cs1", event.id), ("msg", event.title)]
    finding = event.finding
    if finding is None:
        return fields
    key = finding.key
    fields += [("externalId", finding.id), ("act", finding.action), ("outcome", finding.verdict)]
    fields += [("reason", finding.reason or ""), ("cs2Label", "call"), ("cs2", key.call)]
    fields += [("cs3Label", "participant"), ("cs3", key.participant), ("cs4Label", "identity")]
    fields += [("cs4", key.identity or ""), ("cs5Label", "scores"), ("cs5", encode(finding.scores))]
    return [*fields, ("cs6Label", "evidence"), ("cs6", encode(finding.evidence))]


def _escape(text: str, separator: str) -> str:
    cut = CONTROLS.sub(" ", text)[:MAX_VALUE]
    return cut.replace("\\", "\\\\").replace(separator, f"\\{separator}")
