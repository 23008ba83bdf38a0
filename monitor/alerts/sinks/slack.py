"""The sink `slack`: a message a change, to an incoming webhook.

Names of calls and participants are plain text: nothing in them is a link, a mention or a format.
"""

from __future__ import annotations

from typing import Any

from monitor.alerts.sinks.base import SinkSpec
from monitor.alerts.sinks.chat import ChatOptions, ChatSink
from monitor.alerts.sinks.event import Event
from monitor.alerts.wire import Severity

# Of a header and of a field, in Slack's own blocks.
MAX_HEADER, MAX_FIELD, FIELDS_IN_SECTION = 150, 2000, 10
MARKS = {
    Severity.HIGH: "\N{LARGE RED CIRCLE}",
    Severity.MEDIUM: "\N{LARGE YELLOW CIRCLE}",
    Severity.LOW: "\N{LARGE BLUE CIRCLE}",
    Severity.INFO: "",
}
ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class SlackOptions(ChatOptions):
    """The address of the webhook, which is its secret."""


class SlackSink(ChatSink):
    """Posts blocks, and a text for notifications."""

    def __init__(self, options: SlackOptions) -> None:
        super().__init__(options, message)


def message(event: Event) -> dict[str, Any]:
    """Return the body of a message."""
    title = f"{MARKS[event.severity]} {event.title}".strip()
    fields = [_plain_text(f"{name}\n{value}", MAX_FIELD) for name, value in event.fields[:FIELDS_IN_SECTION]]
    header = {"type": "header", "text": _plain_text(title, MAX_HEADER)}
    return {"text": title.translate(ESCAPES), "blocks": [header, {"type": "section", "fields": fields}]}


def _plain_text(text: str, longest: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": text[:longest], "emoji": False}


SPEC = SinkSpec("slack", SlackOptions, SlackSink, batch_entries=1)
