"""Webhooks of LiveKit: only what is signed with our key is read, each once; the SDK's own receiver verifies."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from livekit import api

from plugins.livekit_hooks import receiver
from plugins.livekit_options import LiveKitOptions
from plugins.protocols.livekit.webhook import MAX_BODY_BYTES, MAX_SEEN, Notice, Seen, WebhookError, read

KEY, SECRET = "APIkey", "a-secret-that-is-long-enough-for-it"
OPTIONS = LiveKitOptions.model_validate(
    {"url": "wss://livekit.example.org", "api_key": KEY, "api_secret": SECRET, "webhook_listen": "127.0.0.1:0"}
)
TAKE = receiver(OPTIONS)


def signed(body: bytes, key: str = KEY, secret: str = SECRET, of: bytes | None = None) -> str:
    digest = base64.b64encode(hashlib.sha256(body if of is None else of).digest()).decode()
    token = api.AccessToken(key, secret).with_ttl(timedelta(minutes=5)).with_sha256(digest)
    return token.to_jwt()


def event(name: str = "room_started", room: str = "board", number: str = "EV_1", **more: Any) -> bytes:
    return json.dumps({"event": name, "room": {"name": room}, "id": number, **more}).encode()


def test_what_is_signed_is_read() -> None:
    for header in (signed(event()), f"Bearer {signed(event())}"):
        assert TAKE(event(), header).room.name == "board"
    # Servers newer than the SDK say more.
    assert TAKE(event(anything=[1]), signed(event(anything=[1]))).event == "room_started"


BODY = event()
REFUSED: dict[str, tuple[bytes, str | None]] = {
    "no signature": (BODY, None),
    "an empty one": (BODY, ""),
    "none at all": (BODY, "Bearer x.y.z"),
    "of another key": (BODY, signed(BODY, key="APIother")),
    "of another secret": (BODY, signed(BODY, secret="another-secret-that-is-long-enough")),
    "of another body": (BODY, signed(BODY, of=b"{}")),
    "of no body": (BODY, api.AccessToken(KEY, SECRET).to_jwt()),
    "of a hash that is none": (BODY, api.AccessToken(KEY, SECRET).with_sha256("é").to_jwt()),
    "of one that has run out": (
        BODY,
        api.AccessToken(KEY, SECRET).with_ttl(timedelta(minutes=-5)).with_sha256("x").to_jwt(),
    ),
    "too long": (b" " * (MAX_BODY_BYTES + 1), signed(b" " * (MAX_BODY_BYTES + 1))),
    "no text": (b"\xff", signed(b"\xff")),
    "no JSON": (b"{", signed(b"{")),
    "no event": (b"[1]", signed(b"[1]")),
    "of another shape": (b'{"room": 1}', signed(b'{"room": 1}')),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_signed_with_our_key_or_is_no_event_is_refused(case: str) -> None:
    body, header = REFUSED[case]
    with pytest.raises(WebhookError) as refused:
        TAKE(body, header)
    assert SECRET not in str(refused.value)


def test_what_is_not_signed_by_us_is_refused_whoever_parses() -> None:
    """The SDK's receiver compares the hash once more; what it is given is compared before."""
    verifier = api.TokenVerifier(KEY, SECRET)
    with pytest.raises(WebhookError, match="not what was signed"):
        read(BODY, signed(BODY, of=b"{}"), verifier.verify, lambda text: text)
    assert read(BODY, signed(BODY), verifier.verify, lambda text: text) == BODY.decode()


def test_each_event_is_taken_once() -> None:
    seen = Seen()
    assert seen.notice(TAKE(BODY, signed(BODY))) == Notice("board")
    assert seen.notice(TAKE(BODY, signed(BODY))) == Notice()
    over = event("room_finished", number="EV_2")
    assert seen.notice(TAKE(over, signed(over))) == Notice("board", is_over=True)
    for other in (event("egress_started", number="EV_3"), event(room="", number="EV_4")):
        assert seen.notice(TAKE(other, signed(other))) == Notice()
    for number in range(MAX_SEEN + 1):
        body = event(number=f"EV_n{number}")
        seen.notice(api.WebhookEvent(event="room_started", id=f"EV_n{number}", room=api.Room(name="board")))
    # It remembers so many, and what was long ago may come again.
    assert seen.notice(TAKE(BODY, signed(BODY))) == Notice("board")
    assert seen.notice(TAKE(body, signed(body))) == Notice()
