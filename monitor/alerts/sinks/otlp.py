"""The sink `otlp`: log records to an OpenTelemetry collector, OTLP over HTTP in JSON, `/v1/logs`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from engines.documents import DocumentError, parse_json
from monitor.alerts.plain import encode
from monitor.alerts.sinks.base import Item, RefusedError, SinkSpec
from monitor.alerts.sinks.event import Event, event_of, milliseconds, product_version
from monitor.alerts.sinks.http import HttpOptions, HttpSink, Post, Reply, Token, Url, check
from monitor.alerts.wire import Severity

PATH = "/v1/logs"
# The data model of logs: SeverityNumber.
SEVERITIES = {
    Severity.HIGH: (17, "ERROR"),
    Severity.MEDIUM: (13, "WARN"),
    Severity.LOW: (10, "INFO2"),
    Severity.INFO: (9, "INFO"),
}
NANOSECONDS = 1_000_000


class OtlpOptions(HttpOptions):
    """The collector, such as `https://collector.example:4318`, and a bearer token where one is asked for."""

    url: Url
    token: Token | None = None
    service_name: str = Field(default="sidewitness", min_length=1, max_length=255)


class OtlpSink(HttpSink):
    """Posts a batch as one request."""

    def __init__(self, options: OtlpOptions) -> None:
        super().__init__(options)
        self._url = options.url.get_secret_value().rstrip("/").removesuffix(PATH) + PATH
        self._headers = {"Authorization": f"Bearer {options.token.get_secret_value()}"} if options.token else {}
        self._service = options.service_name

    def posts(self, items: Sequence[Item]) -> Iterable[Post]:
        """Return one request."""
        now = datetime.now(UTC)
        records = [record(event_of(item, now), now) for item in items]
        scope = {"name": "sidewitness.alerts", "version": product_version()}
        resource = {"attributes": _attributes({"service.name": self._service, "service.version": product_version()})}
        logs = {"resource": resource, "scopeLogs": [{"scope": scope, "logRecords": records}]}
        return [Post(self._url, encode({"resourceLogs": [logs]}).encode(), self._headers)]

    def check(self, reply: Reply) -> None:
        """Raise what a status means, and `RefusedError` where the collector has taken a part only."""
        check(reply)
        try:
            rejected = int(parse_json(reply.body or b"{}").get("partialSuccess", {}).get("rejectedLogRecords", 0))
        except (DocumentError, AttributeError, TypeError, ValueError):
            # The body is for partial success; a status of success is enough.
            rejected = 0
        if rejected > 0:
            raise RefusedError("the receiver refuses log records (partial success)")


def record(event: Event, now: datetime) -> dict[str, Any]:
    """Return a log record; `now` is when it was observed."""
    number, text = SEVERITIES[event.severity]
    fields = {f"sidewitness.{name}": value for name, value in event.message.items() if value is not None}
    return {
        "timeUnixNano": str(milliseconds(event.time) * NANOSECONDS),
        "observedTimeUnixNano": str(milliseconds(now) * NANOSECONDS),
        "severityNumber": number,
        "severityText": text,
        "eventName": f"sidewitness.{event.kind}",
        "body": {"stringValue": event.title},
        "attributes": _attributes({"event.id": event.id, **fields}),
    }


def _attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in values.items()]


def _value(value: Any) -> dict[str, Any]:
    """Return an `AnyValue`; 64-bit integers are strings in protobuf's JSON, null is no field at all."""
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, Mapping):
        return {"kvlistValue": {"values": _attributes(value)}}
    if isinstance(value, list | tuple):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    return {"stringValue": str(value)}


SPEC = SinkSpec("otlp", OtlpOptions, OtlpSink)
