"""The sink `splunk`: events to Splunk's HTTP Event Collector, `/services/collector/event`.

Splunk does not recognise what it has had: searches do, by `event_id` (`| dedup event_id`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import Field

from monitor.alerts.plain import encode
from monitor.alerts.sinks.base import Item, SinkSpec
from monitor.alerts.sinks.event import Event, event_of, milliseconds
from monitor.alerts.sinks.http import HttpOptions, HttpSink, Post, Token, Url

PATH = "/services/collector/event"


class SplunkOptions(HttpOptions):
    """The collector, such as `https://splunk.example:8088`, its token, and where the events belong."""

    url: Url
    token: Token
    index: str | None = Field(default=None, pattern=r"^[a-z0-9_][a-z0-9_-]{0,254}$")
    source: str = Field(default="sidewitness", min_length=1, max_length=255)
    sourcetype: str = Field(default="sidewitness:finding", min_length=1, max_length=255)


class SplunkSink(HttpSink):
    """Posts a batch as one request of JSON objects."""

    def __init__(self, options: SplunkOptions) -> None:
        super().__init__(options)
        self._url = options.url.get_secret_value().rstrip("/").removesuffix(PATH) + PATH
        self._headers = {"Authorization": f"Splunk {options.token.get_secret_value()}"}
        belonging = {"source": options.source, "sourcetype": options.sourcetype, "index": options.index}
        self._belonging = {name: value for name, value in belonging.items() if value is not None}

    def posts(self, items: Sequence[Item]) -> Iterable[Post]:
        """Return one request."""
        body = "\n".join(encode(self._event(event_of(item))) for item in items).encode()
        return [Post(self._url, body, self._headers)]

    def _event(self, event: Event) -> dict[str, Any]:
        return {"time": milliseconds(event.time) / 1000, **self._belonging, "event": event.flat}


SPEC = SinkSpec("splunk", SplunkOptions, SplunkSink)
