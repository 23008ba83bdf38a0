"""What is delivered, as the tools of security teams want it: an id, a title, a severity, and fields. Pure.

It says what the message of the WebSocket says, and nothing that this does not hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from monitor.alerts.finding import Finding
from monitor.alerts.journal import Tampered
from monitor.alerts.plain import plain
from monitor.alerts.sinks.base import Gap, Item, item_message
from monitor.alerts.wire import Message, Severity, severity_of
from monitor.types import rfc3339

PRODUCT = "Sidewitness"


@dataclass(frozen=True, slots=True)
class Event:
    """One item: `id` is the same whenever it is sent, `message` is that of the WebSocket, `finding` None for others."""

    id: str
    seq: int
    time: datetime
    title: str
    severity: Severity
    message: Message
    finding: Finding | None = None

    @property
    def kind(self) -> str:
        """What it is in a word: `finding.opened`, `finding.updated`, `finding.closed`, `gap` or `tampered`.

        What a policy tells of beside alerts is `suspicion.opened` and so on, and `unverified.opened`; of a drill it is
        `drill.opened`.
        """
        about = "drill" if self.finding is not None and self.finding.drill else self.finding and self.finding.kind
        return f"{about}.{self.finding.action}" if self.finding is not None else str(self.message["type"])

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Names and values for people to read."""
        if self.finding is None:
            return [("number", str(self.seq)), ("time", rfc3339(self.time))]
        key = self.finding.key
        rows = [("call", key.call), ("participant", key.participant), ("identity", key.identity or "nobody enrolled")]
        rows += [("verdict", self.finding.verdict), ("reason", self.finding.reason or "none")]
        handling = self.finding.handling
        if handling is not None:
            rows += [("severity", str(self.severity)), ("policy", ", ".join(handling["groups"]) or "no group")]
            rows += [("action", told) for told in _requested(handling)]
        return [*rows, ("time", rfc3339(self.time)), ("finding", self.finding.id), ("number", str(self.seq))]

    @property
    def flat(self) -> dict[str, Any]:
        """The message with the id and the severity beside it, for what is stored in tables and indexes."""
        return {**self.message, "event_id": self.id, "severity": self.severity.value, "title": self.title}


def event_of(item: Item, now: datetime | None = None) -> Event:
    """Return an item as an event; what has no time of its own, a gap, is of `now`."""
    time = now or datetime.now(UTC)
    message = plain(item_message(item))
    if isinstance(item, Gap):
        title = f"findings {item.first} to {item.last} are gone from the journal and were not delivered"
        return Event(f"gap.{item.first}-{item.last}", item.last, time, title, Severity.MEDIUM, message)
    if isinstance(item, Tampered):
        title = f"finding {item.seq} was changed in the journal and is not delivered"
        return Event(f"tampered.{item.seq}", item.seq, time, title, Severity.HIGH, message)
    finding = item.finding
    event_id = f"{finding.id}.{finding.step}"
    return Event(event_id, item.seq, finding.time, _title(finding), severity_of(finding), message, finding)


def milliseconds(time: datetime) -> int:
    """Return a time in milliseconds since 1970."""
    return round(time.timestamp() * 1000)


@cache
def product_version() -> str:
    """Return the installed version, or 0 where it runs from its source."""
    try:
        return version("sidewitness")
    except PackageNotFoundError:
        return "0"


def _title(finding: Finding) -> str:
    about = "unverified" if finding.kind == "unverified" else _words(finding.verdict)
    title = f"{about}: {_words(finding.reason or 'no reason')} ({finding.action})"
    if finding.drill:
        return f"DRILL, nothing has happened: {title}"
    return f"[dry run] {title}" if finding.handling is not None and finding.handling["dry_run"] else title


def _requested(handling: Mapping[str, Any]) -> Iterator[str]:
    """Give what is done, or waits for somebody's word, an action each."""
    for action in handling["actions"]:
        name = _words(action["action"])
        if action["dry_run"]:
            yield f"{name} (dry run, not done)"
        elif action["confirm"]:
            yield f"{name}: confirm by {action['expires']}" + (f" at {action['link']}" if action["link"] else "")
        else:
            yield f"{name} (done without confirmation)"


def _words(code: str) -> str:
    return code.replace("_", " ")
