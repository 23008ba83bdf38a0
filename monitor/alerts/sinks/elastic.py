"""The sink `elastic`: documents to Elasticsearch or OpenSearch by `_bulk`, in fields of the Elastic Common Schema.

Documents are created under the id of the change, so that one that comes again is there once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import Field

from engines.documents import DocumentError, parse_json
from monitor.alerts.plain import encode
from monitor.alerts.sinks.base import Item, RefusedError, SinkError, SinkSpec
from monitor.alerts.sinks.event import PRODUCT, Event, event_of, product_version
from monitor.alerts.sinks.http import LATER, HttpOptions, HttpSink, Post, Reply, Token, Url, check
from monitor.alerts.wire import Severity
from monitor.types import rfc3339

ECS_VERSION = "8.11.0"
SEVERITIES = {Severity.HIGH: 73, Severity.MEDIUM: 47, Severity.LOW: 34, Severity.INFO: 21}
TYPES = {"opened": ["start"], "updated": ["change"], "closed": ["end"]}
CONFLICT = 409


class ElasticOptions(HttpOptions):
    """The cluster, such as `https://elastic.example:9200`, an API key, and the index or data stream."""

    url: Url
    api_key: Token
    index: str = Field(default="logs-sidewitness.findings-default", pattern=r"^[a-z0-9][a-z0-9_.-]{0,254}$")


class ElasticSink(HttpSink):
    """Posts a batch as one request of lines."""

    def __init__(self, options: ElasticOptions) -> None:
        super().__init__(options)
        self._url = f"{options.url.get_secret_value().rstrip('/')}/{options.index}/_bulk"
        self._headers = {"Authorization": f"ApiKey {options.api_key.get_secret_value()}"}

    def posts(self, items: Sequence[Item]) -> Iterable[Post]:
        """Return one request."""
        lines: list[str] = []
        for event in map(event_of, items):
            lines += (encode({"create": {"_id": event.id}}), encode(document(event)))
        return [Post(self._url, "".join(f"{line}\n" for line in lines).encode(), self._headers, "application/x-ndjson")]

    def check(self, reply: Reply) -> None:
        """Raise what the worst of the results means; one that is there already has been accepted."""
        check(reply)
        try:
            results = parse_json(reply.body)["items"]
            statuses = [int(result["create"]["status"]) for result in results]
        except (DocumentError, KeyError, TypeError, ValueError):
            raise SinkError("the receiver's answer is none of _bulk: correct the address of the sink") from None
        failed = [status for status in statuses if not 200 <= status < 300 and status != CONFLICT]
        later = [status for status in failed if status >= 500 or status in LATER]
        if later:
            raise SinkError(f"the receiver takes some documents later ({later[0]})")
        if failed:
            raise RefusedError(f"the receiver refuses the document ({failed[0]})")


def document(event: Event) -> dict[str, Any]:
    """Return the document of an event."""
    action = event.finding.action if event.finding is not None else None
    return {
        "@timestamp": rfc3339(event.time),
        "message": event.title,
        "ecs": {"version": ECS_VERSION},
        "event": {
            "kind": "alert",
            "category": ["threat"] if event.finding is not None else ["configuration"],
            "type": TYPES[action] if action is not None else ["info"],
            "id": event.id,
            "action": event.kind,
            "sequence": event.seq,
            "severity": SEVERITIES[event.severity],
            "module": "sidewitness",
            "dataset": "sidewitness.findings",
        },
        "observer": {"vendor": PRODUCT, "product": PRODUCT, "version": product_version(), "type": "sidecar"},
        "sidewitness": event.message,
    }


SPEC = SinkSpec("elastic", ElasticOptions, ElasticSink)
