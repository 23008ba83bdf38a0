"""The webhooks by which Zoom says that a stream begins or ends: proved to be Zoom's first, then read. Pure.

Everything must be signed, the check of the address too: its answer is a keyed hash of what it asks, so that whoever
may ask freely could have anything signed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any

from plugins.protocols.zoom.messages import is_secure

MAX_BODY_BYTES = 65536
# What is older was sent by somebody who had kept it.
MAX_AGE_SECONDS = 300.0
MAX_ID_LENGTH = 256
VALIDATION = "endpoint.url_validation"
# Webinars and sessions of the Video SDK have other names for the same.
UUIDS = ("meeting_uuid", "webinar_uuid", "session_id")
_EVENT = re.compile(r"(meeting|webinar|session)\.rtms_(started|stopped)")
_TOKEN = re.compile(r"[A-Za-z0-9_\-]{1,128}")


class WebhookError(Exception):
    """A request that is not answered with 200: `status` is what it is answered with; the text quotes nothing of it."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Validation:
    """Zoom checks the address: `answer` is the JSON that it wants to read."""

    answer: str


@dataclass(frozen=True, slots=True)
class Started:
    """A stream has begun: where its signalling is."""

    uuid: str
    stream: str
    url: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """A stream has ended."""

    stream: str
    reason: int


@dataclass(frozen=True, slots=True)
class Ignored:
    """Something else that the app is told of."""


Webhook = Validation | Started | Stopped | Ignored


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a body as it came, byte by byte, and of the header `x-zm-request-timestamp`."""
    return "v0=" + hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256).hexdigest()


def read(body: bytes, timestamp: str, signature: str, secret: str, now: float) -> Webhook:
    """Read a request that Zoom has signed; `now` is Unix time. Raises `WebhookError`."""
    expected = sign(secret, timestamp, body)
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise WebhookError(401, "a webhook is not signed by Zoom: correct webhook_secret, or somebody else sends them")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 15):
        raise WebhookError(401, "a webhook has no time")
    # Seconds by the documents, milliseconds by some servers.
    sent = int(timestamp) / (1000.0 if len(timestamp) > 11 else 1.0)
    if abs(now - sent) > MAX_AGE_SECONDS:
        raise WebhookError(401, "a webhook is too old: set this machine's clock, or somebody repeats them")
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError):
        raise WebhookError(400, "a webhook is no JSON") from None
    if not isinstance(raw, dict):
        raise WebhookError(400, "a webhook is no object")
    return _read(raw, secret)


def _read(raw: dict[str, Any], secret: str) -> Webhook:
    event, payload = raw.get("event"), raw.get("payload")
    if not isinstance(event, str) or not isinstance(payload, dict):
        return Ignored()
    if event == VALIDATION:
        return _validation(payload, secret)
    match = _EVENT.fullmatch(event)
    if match is None:
        return Ignored()
    # Two shapes: the fields in `payload`, or in an object in it.
    inner = payload.get("object")
    about = {**payload, **inner} if isinstance(inner, dict) else payload
    stream = _id(about.get("rtms_stream_id"))
    if match[2] == "stopped":
        reason = about.get("stop_reason")
        return Stopped(stream, reason if isinstance(reason, int) and 0 <= reason < 256 else 0)
    uuid = next((_id(about[name]) for name in UUIDS if name in about), "")
    url = about.get("server_urls")
    if not stream or not uuid or not is_secure(url):
        raise WebhookError(400, "a webhook names no stream")
    return Started(uuid, stream, str(url))


def _validation(payload: dict[str, Any], secret: str) -> Validation:
    token = payload.get("plainToken")
    # Nothing that could be taken for the text of a signature.
    if not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
        raise WebhookError(400, "a check of the address has no token")
    hashed = hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest()
    return Validation(json.dumps({"plainToken": token, "encryptedToken": hashed}))


def _id(value: object) -> str:
    return value if isinstance(value, str) and 0 < len(value) <= MAX_ID_LENGTH and value.isprintable() else ""
