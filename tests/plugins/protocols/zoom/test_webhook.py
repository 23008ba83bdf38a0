"""Webhooks: who may send them, what they say in either shape, and that the check of the address signs nothing else."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest

from plugins.protocols.zoom.webhook import (
    Ignored,
    Started,
    Stopped,
    Validation,
    Webhook,
    WebhookError,
    read,
    sign,
)

SECRET, NOW = "a-webhook-secret", 1_800_000_000.0
URL = "wss://rtms.example:443"


def received(message: object, at: float = NOW, secret: str = SECRET) -> Webhook:
    body = json.dumps(message).encode()
    stamp = str(int(at))
    return read(body, stamp, sign(secret, stamp, body), SECRET, NOW)


def test_a_stream_begins_in_every_shape() -> None:
    about = {"rtms_stream_id": "s", "server_urls": URL}
    for family, name in (("meeting", "meeting_uuid"), ("webinar", "webinar_uuid"), ("session", "session_id")):
        for payload in ({name: "u==", **about}, {"object": {name: "u==", **about}}):
            assert received({"event": f"{family}.rtms_started", "payload": payload}) == Started("u==", "s", URL)
    # A webinar that is called a meeting.
    payload = {"meeting_uuid": "u", **about}
    assert received({"event": "webinar.rtms_started", "payload": payload}) == Started("u", "s", URL)


NO_STREAM: list[dict[str, Any]] = [
    *({"meeting_uuid": uuid} for uuid in ("", 7, "a\nb")),
    {"rtms_stream_id": "x" * 300},
    *({"server_urls": url} for url in ("ws://plain", {"all": URL})),
]


@pytest.mark.parametrize("change", NO_STREAM)
def test_a_stream_that_cannot_be_had(change: dict[str, Any]) -> None:
    payload = {"meeting_uuid": "u", "rtms_stream_id": "s", "server_urls": URL, **change}
    with pytest.raises(WebhookError, match="names no stream") as refused:
        received({"event": "meeting.rtms_started", "payload": payload})
    assert refused.value.status == 400


def test_a_stream_ends() -> None:
    ended = {"event": "meeting.rtms_stopped", "payload": {"rtms_stream_id": "s", "stop_reason": 8}}
    assert received(ended) == Stopped("s", 8)
    assert received({"event": "meeting.rtms_stopped", "payload": {"stop_reason": "8"}}) == Stopped("", 0)
    assert received({"event": "meeting.rtms_stopped", "payload": {"stop_reason": 999}}) == Stopped("", 0)


OTHERS: tuple[dict[str, Any], ...] = (
    {},
    {"event": 7, "payload": {}},
    {"event": "meeting.started", "payload": {}},
    {"event": "meeting.rtms_started"},
)


@pytest.mark.parametrize("message", OTHERS)
def test_other_events_are_answered_and_left_alone(message: object) -> None:
    assert received(message) == Ignored()


def test_the_address_is_checked() -> None:
    said = received({"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}})
    assert isinstance(said, Validation)
    hashed = hmac.new(SECRET.encode(), b"qgg8vlvZRS6UYooatFL8Aw", hashlib.sha256).hexdigest()
    assert json.loads(said.answer) == {"plainToken": "qgg8vlvZRS6UYooatFL8Aw", "encryptedToken": hashed}


@pytest.mark.parametrize("token", ["v0:1800000000:{}", "", "a b", "x" * 200, None, 7])
def test_the_check_of_the_address_signs_nothing_that_could_be_a_webhook(token: object) -> None:
    with pytest.raises(WebhookError, match="has no token"):
        received({"event": "endpoint.url_validation", "payload": {"plainToken": token}})


def test_who_may_send_them() -> None:
    """The body counts as it came, byte by byte; what is old was kept by somebody."""
    body, stamp = b'{"event" : "x",  "payload": {}}', str(int(NOW))
    expected = hmac.new(SECRET.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    assert sign(SECRET, stamp, body) == f"v0={expected}"
    assert read(body, stamp, f"v0={expected}", SECRET, NOW) == Ignored()
    for signature in ("", "v0=", f"v0={expected[:-1]}", expected, "é", f"v1={expected}"):
        with pytest.raises(WebhookError, match="not signed by Zoom") as refused:
            read(body, stamp, signature, SECRET, NOW)
        assert refused.value.status == 401
    other = json.dumps(json.loads(body)).encode()
    with pytest.raises(WebhookError, match="not signed by Zoom"):
        read(other, stamp, f"v0={expected}", SECRET, NOW)
    with pytest.raises(WebhookError, match="not signed by Zoom"):
        received({}, secret="another")


def test_a_webhook_is_of_now() -> None:
    assert received({}, NOW - 299) == Ignored()
    assert received({}, NOW + 299) == Ignored()
    milliseconds = str(int(NOW * 1000))
    assert read(b"{}", milliseconds, sign(SECRET, milliseconds, b"{}"), SECRET, NOW) == Ignored()
    for at in (NOW - 301, NOW + 301):
        with pytest.raises(WebhookError, match="too old"):
            received({}, at)
    for stamp in ("", "now", "٣", "1" * 16):
        with pytest.raises(WebhookError, match="has no time"):
            read(b"{}", stamp, sign(SECRET, stamp, b"{}"), SECRET, NOW)


@pytest.mark.parametrize(("body", "said"), [(b"{", "no JSON"), (b"[" * 60_000, "no JSON"), (b"[]", "no object")])
def test_what_is_signed_and_no_webhook(body: bytes, said: str) -> None:
    stamp = str(int(NOW))
    with pytest.raises(WebhookError, match=said) as refused:
        read(body, stamp, sign(SECRET, stamp, body), SECRET, NOW)
    assert refused.value.status == 400
