"""What can happen to a finding after it was raised, and what each such event must say. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from engines.errors import SidewitnessError
from monitor.alerts.plain import encode, plain

# Who acts where nobody does.
POLICY = "policy"
MAX_DETAILS_BYTES = 4096
MAX_TEXT_CHARACTERS = 2000
MAX_NAME_CHARACTERS = 128
NAME = re.compile(rf"[^\x00-\x1f\x7f]{{1,{MAX_NAME_CHARACTERS}}}")


class CaseworkError(SidewitnessError):
    """An event that cannot be written as it is; the message is one line that says what to do."""

    exit_status = 2


class EventKind(StrEnum):
    """What happened."""

    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    NOTED = "noted"
    LABELLED = "labelled"
    TOLD = "told"
    ACTION_PROPOSED = "action_proposed"
    ACTION_CONFIRMED = "action_confirmed"
    ACTION_REFUSED = "action_refused"
    ACTION_DONE = "action_done"
    ACTION_FAILED = "action_failed"
    CHALLENGE_MADE = "challenge_made"
    CHALLENGE_ANSWERED = "challenge_answered"


class Label(StrEnum):
    """What a finding was, by who looked into it: a deepfake or another fraud, a false alert, or nobody can tell."""

    TRUE = "true"
    FALSE = "false"
    UNSURE = "unsure"


# What people may write through the API; the rest is the policy's to write.
BY_HAND = frozenset({EventKind.ACKNOWLEDGED, EventKind.ASSIGNED, EventKind.NOTED, EventKind.LABELLED})
ACTIONS = frozenset(
    {
        EventKind.ACTION_PROPOSED,
        EventKind.ACTION_CONFIRMED,
        EventKind.ACTION_REFUSED,
        EventKind.ACTION_DONE,
        EventKind.ACTION_FAILED,
    }
)
# The texts that the details must hold, by kind.
REQUIRED: Mapping[EventKind, tuple[str, ...]] = {
    EventKind.NOTED: ("text",),
    EventKind.LABELLED: ("label",),
    EventKind.TOLD: ("whom", "sink"),
    EventKind.ACTION_PROPOSED: ("id", "action"),
    **dict.fromkeys(ACTIONS - {EventKind.ACTION_PROPOSED}, ("id",)),
    EventKind.CHALLENGE_MADE: ("id",),
    EventKind.CHALLENGE_ANSWERED: ("id", "outcome"),
}


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to write. `actor` is a token's or a login's subject, or `POLICY`; see `REQUIRED` for the details."""

    finding: str
    kind: EventKind
    actor: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """An event as it was written: numbered 1, 2, 3, ... over all findings, `time` in UTC."""

    seq: int
    finding: str
    kind: EventKind
    time: datetime
    actor: str
    details: Mapping[str, Any]


def checked(event: NewEvent) -> NewEvent:
    """Return an event that can be written, its details made JSON values; raises `CaseworkError`.

    An assignment holds `to`, a name or null for nobody.
    """
    if not NAME.fullmatch(event.finding) or not NAME.fullmatch(event.actor):
        raise CaseworkError(f"finding and actor need 1 to {MAX_NAME_CHARACTERS} printable characters")
    try:
        details = plain(event.details)
        size = len(encode(details))
    except TypeError:
        raise CaseworkError("details may hold texts, numbers, lists and objects only") from None
    if size > MAX_DETAILS_BYTES:
        raise CaseworkError(f"details may have at most {MAX_DETAILS_BYTES} bytes: shorten them")
    for name in REQUIRED.get(event.kind, ()):
        _require_text(event.kind, name, details.get(name))
    if event.kind is EventKind.ASSIGNED:
        to = details.get("to", "")
        if to is not None and not (isinstance(to, str) and NAME.fullmatch(to)):
            raise CaseworkError(f"assigned: give `to`, a name of up to {MAX_NAME_CHARACTERS} characters, or null")
    if event.kind is EventKind.LABELLED and details["label"] not in list(Label):
        raise CaseworkError("labelled: the label is true, false or unsure")
    return NewEvent(event.finding, event.kind, event.actor, details)


def event_json(event: CaseEvent, time: str) -> dict[str, Any]:
    """Return an event as JSON values; `time` is its time as text."""
    return {
        "seq": event.seq,
        "event": str(event.kind),
        "time": time,
        "actor": event.actor,
        "details": dict(event.details),
    }


def parse_details(text: str) -> dict[str, Any]:
    """Return the details that were written; raises `TypeError` or `ValueError` for what was not."""
    return dict(json.loads(text))


def _require_text(kind: EventKind, name: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT_CHARACTERS:
        raise CaseworkError(f"{kind}: give `{name}`, a text of 1 to {MAX_TEXT_CHARACTERS} characters")
