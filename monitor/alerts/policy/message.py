"""A finding read back from the message that it was told by: a line of the sink `jsonl`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engines.documents import DocumentError, parse_json
from engines.errors import SidewitnessError
from monitor.alerts.finding import Finding
from monitor.alerts.policy.rules import Kind
from monitor.types import Claim, ParticipantKey, parse_rfc3339

ACTIONS = ("opened", "updated", "closed")


class NotAFindingError(SidewitnessError):
    """The line is no message of ours."""

    def __init__(self) -> None:
        super().__init__("this is no message of the sink jsonl: take it out")


def parse_finding(line: bytes) -> Finding | None:
    """Return the finding of a line, None for a message of another kind; raises `NotAFindingError`.

    Scores and evidence are left out: a policy asks for neither.
    """
    try:
        message = parse_json(line)
        if message["type"] != "finding":
            return None
        if message["action"] not in ACTIONS or not isinstance(message["id"], str):
            raise NotAFindingError
        texts = [message[name] for name in ("call", "participant", "verdict")]
        nullable = [message["identity"], message["reason"]]
        if not all(isinstance(text, str) for text in (*texts, *(text for text in nullable if text is not None))):
            raise NotAFindingError
        claim = message.get("claim")
        key = ParticipantKey(texts[0], texts[1], nullable[0], Claim(claim) if claim is not None else None)
        time = parse_rfc3339(message["time"])
        if time.tzinfo is None:
            raise NotAFindingError
        handling = _handling(message.get("handling"))
    except (DocumentError, ValueError, LookupError, TypeError):
        raise NotAFindingError from None
    return Finding(message["id"], 0, message["action"], key, time, texts[2], nullable[1], handling=handling)


def _handling(written: Any) -> Mapping[str, Any] | None:
    """Return what simulation asks of a handling: what it is about, whether it is of a drill, and who was told."""
    if written is None:
        return None
    notify = written["notify"]
    if notify is not None and not (isinstance(notify, list) and all(isinstance(name, str) for name in notify)):
        raise NotAFindingError
    return {**written, "kind": str(Kind(written["kind"])), "drill": bool(written["drill"]), "notify": notify}
