"""The sink `pagerduty`: events of the Events API v2. An episode is one alert, by `dedup_key`; it resolves at the end.

PagerDuty answers 400 to a routing key that it does not know, as to a malformed event: then everything becomes a dead
letter until the key is right, and `sidewitness sinks replay` sends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import Field, SecretStr

from monitor.alerts.plain import encode
from monitor.alerts.sinks.base import Item, SinkSpec
from monitor.alerts.sinks.event import PRODUCT, Event, event_of
from monitor.alerts.sinks.http import HttpOptions, HttpSink, Post, Token, Url
from monitor.alerts.wire import Severity
from monitor.types import rfc3339

MAX_SUMMARY = 1024
SEVERITIES = {Severity.HIGH: "critical", Severity.MEDIUM: "warning", Severity.LOW: "info", Severity.INFO: "info"}


class PagerDutyOptions(HttpOptions):
    """The routing key of a service's integration; `url` is another one for the European region."""

    routing_key: Token
    url: Url = SecretStr("https://events.pagerduty.com/v2/enqueue")
    source: str = Field(default="sidewitness", min_length=1, max_length=255)


class PagerDutySink(HttpSink):
    """Posts an event a change."""

    def __init__(self, options: PagerDutyOptions) -> None:
        super().__init__(options)
        self._url = options.url.get_secret_value()
        self._routing_key = options.routing_key.get_secret_value()
        self._source = options.source

    def posts(self, items: Sequence[Item]) -> Iterable[Post]:
        """Return a request an item."""
        for event in map(event_of, items):
            body = {"routing_key": self._routing_key, **alert(event, self._source)}
            yield Post(self._url, encode(body).encode())


def alert(event: Event, source: str) -> dict[str, Any]:
    """Return an event without its routing key."""
    finding = event.finding
    payload = {
        "summary": event.title[:MAX_SUMMARY],
        "source": source,
        "severity": SEVERITIES[event.severity],
        "timestamp": rfc3339(event.time),
        "component": PRODUCT,
        "class": event.kind,
        "custom_details": event.flat,
    }
    if finding is not None:
        payload["group"] = finding.key.call
    action = "resolve" if finding is not None and finding.action == "closed" else "trigger"
    key = finding.id if finding is not None else event.id
    return {"event_action": action, "dedup_key": key, "client": PRODUCT, "payload": payload}


SPEC = SinkSpec("pagerduty", PagerDutyOptions, PagerDutySink, batch_entries=1)
