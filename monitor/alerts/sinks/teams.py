"""The sink `teams`: an adaptive card a change, to a workflow of Microsoft Teams ("when a webhook request is received").

Names of calls and participants are runs of text, which know no Markdown: nothing in them is a link.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monitor.alerts.sinks.base import SinkSpec
from monitor.alerts.sinks.chat import ChatOptions, ChatSink
from monitor.alerts.sinks.event import Event
from monitor.alerts.wire import Severity

CARD_TYPE = "application/vnd.microsoft.card.adaptive"
CARD_VERSION = "1.4"
COLOURS = {Severity.HIGH: "Attention", Severity.MEDIUM: "Warning", Severity.LOW: "Accent", Severity.INFO: "Default"}


class TeamsOptions(ChatOptions):
    """The address of the workflow, which is its secret."""


class TeamsSink(ChatSink):
    """Posts cards."""

    def __init__(self, options: TeamsOptions) -> None:
        super().__init__(options, message)


def message(event: Event) -> dict[str, Any]:
    """Return the message that a workflow posts."""
    title = _text([{"text": event.title, "size": "Large", "weight": "Bolder", "color": COLOURS[event.severity]}])
    rows = [_text([{"text": f"{name}: ", "weight": "Bolder"}, {"text": value}]) for name, value in event.fields]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": CARD_VERSION,
        "body": [title, *rows],
    }
    return {"type": "message", "attachments": [{"contentType": CARD_TYPE, "contentUrl": None, "content": card}]}


def _text(runs: Sequence[dict[str, str]]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", **run} for run in runs]}


SPEC = SinkSpec("teams", TeamsOptions, TeamsSink, batch_entries=1)
