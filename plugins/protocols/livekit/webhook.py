"""LiveKit's webhooks: what somebody who joins rooms by themselves needs of them. Pure but for the SDK's own receiver.

The body is signed: the header `Authorization` is a token of the API key, which holds the body's hash. Whatever is not
signed so is refused before it is read.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode
from binascii import Error as Base64Error
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MAX_BODY_BYTES = 65_536
MAX_SEEN = 1024
STARTS = ("room_started", "participant_joined", "track_published")
ENDS = ("room_finished",)


class WebhookError(Exception):
    """A request that is none of LiveKit's, or is not signed with our key; the text quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a webhook says: a room is there, or is no more. `room` is None for what is of no interest."""

    room: str | None = None
    is_over: bool = False


def read(body: bytes, authorization: str | None, verify: Callable[[str], Any], parse: Callable[[str], Any]) -> Any:
    """Return the event of a request; raises `WebhookError`.

    `verify` gives the claims of a token or raises, `parse` the event of a body or raises: both are livekit-api's.
    """
    if not authorization or len(body) > MAX_BODY_BYTES:
        raise WebhookError("a webhook without a signature, or too long")
    try:
        claimed = b64decode(verify(authorization.removeprefix("Bearer ").strip()).sha256 or "", validate=True)
        text = body.decode()
    except (Base64Error, ValueError):
        raise WebhookError("a webhook whose signature cannot be read") from None
    except Exception:
        # Of the SDK: whatever it raises, the token is not one of our key.
        raise WebhookError("a webhook that is not signed with our key: check api_key and api_secret") from None
    if not hmac.compare_digest(hashlib.sha256(body).digest(), claimed):
        raise WebhookError("a webhook that is not what was signed")
    try:
        return parse(text)
    except Exception:
        raise WebhookError("a webhook that is no event of LiveKit's") from None


class Seen:
    """Webhooks that were taken already, by id: LiveKit sends one again that it had no answer to."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()

    def notice(self, event: Any) -> Notice:
        """Return what an event says, once."""
        if event.id and event.id in self._ids:
            return Notice()
        self._ids[event.id] = None
        while len(self._ids) > MAX_SEEN:
            self._ids.popitem(last=False)
        if not event.room.name or event.event not in (*STARTS, *ENDS):
            return Notice()
        return Notice(event.room.name, event.event in ENDS)
