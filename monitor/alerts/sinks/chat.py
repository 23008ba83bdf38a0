"""What the sinks that write to people have in common: an address that is a secret, and what is told of an episode."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from monitor.alerts.plain import encode
from monitor.alerts.sinks.base import Item
from monitor.alerts.sinks.event import Event, event_of
from monitor.alerts.sinks.http import HttpOptions, HttpSink, Post, Url


class ChatOptions(HttpOptions):
    """Where to; without `updates` people are told when an episode begins and when it ends."""

    url: Url
    updates: bool = True


def told(events: Iterable[Event], options: ChatOptions) -> Iterator[Event]:
    """Yield what people are told of."""
    for event in events:
        if options.updates or event.finding is None or event.finding.action != "updated":
            yield event


class ChatSink(HttpSink):
    """Posts what `message` makes of each event that is told."""

    def __init__(self, options: ChatOptions, message: Callable[[Event], Mapping[str, Any]]) -> None:
        super().__init__(options)
        self._options, self._message = options, message

    def posts(self, items: Sequence[Item]) -> Iterable[Post]:
        """Return a request for each item that is told."""
        url = self._options.url.get_secret_value()
        for event in told(map(event_of, items), self._options):
            yield Post(url, encode(self._message(event)).encode())
