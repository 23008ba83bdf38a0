"""The sink `ocsf`: one POST a change, an OCSF event in a CloudEvents envelope (https://cloudevents.io, JSON, 1.0).

The receiver recognises a repeated event by `source` and `id`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import Field

from monitor.alerts.plain import encode
from monitor.alerts.sinks.base import Item, SinkSpec
from monitor.alerts.sinks.event import Event, event_of
from monitor.alerts.sinks.http import HttpOptions, HttpSink, Post, Token, Url
from monitor.alerts.sinks.ocsf_event import SCHEMA_VERSION, ocsf_event
from monitor.types import rfc3339

CONTENT_TYPE = "application/cloudevents+json"


class OcsfOptions(HttpOptions):
    """Where to, a bearer token where one is asked for, and which sidecar this is, as a URI."""

    url: Url
    token: Token | None = None
    source: str = Field(default="urn:sidewitness", pattern=r"^[!-~]{1,255}$")


class OcsfSink(HttpSink):
    """Posts events in structured mode."""

    def __init__(self, options: OcsfOptions) -> None:
        super().__init__(options)
        self._url = options.url.get_secret_value()
        self._source = options.source
        self._headers = {"Authorization": f"Bearer {options.token.get_secret_value()}"} if options.token else {}

    def posts(self, items: Sequence[Item]) -> Iterable[Post]:
        """Return a request an item."""
        for event in map(event_of, items):
            yield Post(self._url, self._envelope(event), self._headers, CONTENT_TYPE)

    def _envelope(self, event: Event) -> bytes:
        name = "detection_finding" if event.finding is not None else "base_event"
        envelope = {
            "specversion": "1.0",
            "id": event.id,
            "source": self._source,
            "type": f"sidewitness.{event.kind}",
            "subject": event.finding.id if event.finding is not None else event.kind,
            "time": rfc3339(event.time),
            "datacontenttype": "application/json",
            "dataschema": f"https://schema.ocsf.io/{SCHEMA_VERSION}/classes/{name}",
            "data": ocsf_event(event),
        }
        return encode(envelope).encode()


SPEC = SinkSpec("ocsf", OcsfOptions, OcsfSink, batch_entries=1)
