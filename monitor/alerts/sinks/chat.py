"""What the sinks that write to people have in common: an address that is a secret, and what is told of an episode."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from monitor.alerts.sinks.event import Event
from monitor.alerts.sinks.http import HttpOptions, Url


class ChatOptions(HttpOptions):
    """Where to; without `updates` people are told when an episode begins and when it ends."""

    url: Url
    updates: bool = True


def told(events: Iterable[Event], options: ChatOptions) -> Iterator[Event]:
    """Yield what people are told of."""
    for event in events:
        if options.updates or event.finding is None or event.finding.action != "updated":
            yield event
